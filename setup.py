"""Packaging for stock-pipeline: everything is read from settings.ini, so that no fact stands in two places."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="])
parser.read(here / "settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]

extras = {name: cfg[f"{name}_requirements"].split() for name in ("spark", "twin", "dashboard", "bench", "dev")}
# "local" is what one machine needs to run every part
extras["local"] = cfg["local_requirements"].split() + extras["spark"] + extras["twin"] + extras["dashboard"]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8") if (here / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=cfg["keywords"],
    url=cfg["git_url"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        f"Intended Audience :: {cfg['audience']}",
        f"Natural Language :: {cfg['language']}",
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        *(f"Programming Language :: Python :: {v}" for v in ("3.11", "3.12", "3.13")),
    ],
    author=cfg["author"],
    python_requires=f">={cfg['min_python']},<{cfg['max_python']}",
    packages=find_packages( # not what only tests and notebooks use
        include=["stock_pipeline", "stock_pipeline.*"],
        exclude=["stock_pipeline.local.fixtures", "stock_pipeline.local.fixtures.*"],
    ),
    include_package_data=True,
    package_data={"stock_pipeline": ["**/*.sql", "**/*.json", "**/*.txt"]},
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={
        "console_scripts": cfg["console_scripts"].split(),
        "nbdev": [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"],
    },
    zip_safe=False,
)
