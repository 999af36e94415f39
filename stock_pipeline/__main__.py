"`python -m stock_pipeline`: the command line; written by hand, because a notebook's cell may not hold a main block."
from stock_pipeline.cli.app import main

if __name__ == '__main__': main()
