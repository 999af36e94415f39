"What a test step gives, and the table at the end."
import re, time
from dataclasses import dataclass

@dataclass
class Result:
    name: str
    status: str # passed, failed or skipped
    seconds: float
    detail: str = '' # shown when it failed or was skipped

class Report:
    "Prints each result as it comes, then failures again, the table of times and the closing line."
    def __init__(self): self.results, self.start = [], time.monotonic()

    def add(self, result:Result):
        self.results.append(result)
        print(f'{result.status:7} {result.seconds:7.1f} s  {result.name}', flush=True)
        if result.status == 'failed' and result.detail: print(_indent(result.detail), flush=True)

    def extend(self, results):
        for r in results: self.add(r)

    def count(self, status): return sum(r.status == status for r in self.results)

    def close(self): # the exit status
        print('\nSlowest first')
        slow = sorted(self.results, key=lambda r: -r.seconds)
        for r in slow[:60]:
            if r.seconds >= 0.05 or r.status != 'passed': print(f'{r.seconds:8.1f} s  {r.status:7} {r.name}')
        for r in self.results:
            if r.status == 'skipped' and r.detail: print(f'skipped: {r.name}: {r.detail}')
            if r.status == 'failed': print(f'FAILED: {r.name}: {_gist(r.detail)}')
        print(f'{time.monotonic() - self.start:8.1f} s  in all\n')
        skipped = f', {self.count("skipped")} skipped' if self.count('skipped') else ''
        print(f'{self.count("passed")} passed, {self.count("failed")} failed{skipped}', flush=True)
        return int(self.count('failed') > 0 or not self.count('passed'))

def _gist(detail):
    "What says most: pytest's first E line, else the error that ends a traceback with both values, else the first line."
    lines = detail.strip().splitlines() or ['']
    if marked := [line[1:] for line in lines if line.startswith('E  ')]: said = marked[:1]
    elif 'Traceback' not in detail: said = lines[:1]
    else:
        is_error = re.compile(r'[\w.]*(Error|Exception|Exit|Interrupt|Timeout)\b').match
        last = max((i for i, line in enumerate(lines) if is_error(line)), default=len(lines) - 1)
        said = lines[last:last + 4]
    return ' | '.join(_short(line.strip()) for line in said)

def _short(line, most=300): # a list of a thousand prices says what it says at its ends
    return line if len(line) <= most else f'{line[:most//2]} … {line[-most//2:]}'

def _indent(text, width=9): return '\n'.join(' '*width + line for line in text.rstrip().splitlines()[-80:])
