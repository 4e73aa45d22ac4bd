"""The real agent CLIs: installed from npm into a cache folder, set up for the scripted model."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PACKAGES = {
    "claude": "@anthropic-ai/claude-code@2.1.197",
    "codex": "@openai/codex@0.169.0",
    "opencode": "opencode-ai@1.18.33",
    "gemini": "@google/gemini-cli@0.61.0",
}
OTHERS = {
    "qwen": "@qwen-code/qwen-code@0.24.4",
    "amp": "@sourcegraph/amp@0.0.1790142911-g7618fb",
}
"""CLIs that docs/agents.md describes by hand, or that cannot be driven without an account."""
PROGRAMS = {"amp": "@ampcode/cli-linux-x64/amp"}
"""Where a program lies that npm only links by a script, which a newer npm does not run unasked."""
VERSIONS = ("pinned", "newest")
"""Each test runs with both: what was known to work, and what people install today."""
KEY = "sk-scripted-0123456789"
"""What the scripted model takes for a key: a secret as far as the tests look for it."""
PRICE_IN, PRICE_OUT = 3.0, 15.0
"""USD for a million tokens: what opencode is told, the only one that takes a price."""


def cache_folder() -> Path:
    """Where the packages are kept between runs."""
    named = os.environ.get("PERLES_AGENTS_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "perles-test-agents"


def package_of(name: str, version: str) -> str:
    """The npm package of a CLI, with its version. Raises `OSError` where npm does not tell it."""
    pinned = {**PACKAGES, **OTHERS}[name]
    if version == "pinned":
        return pinned
    bare = pinned.rpartition("@")[0]
    return f"{bare}@{_newest(bare)}"


@cache
def _newest(package: str) -> str:
    """What npm would install today: asked once a run."""
    command = [_npm(), "view", package, "version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or not done.stdout.strip():
        raise OSError(f"npm view {package}: {done.stderr[-500:]}")
    return done.stdout.strip()


def _npm() -> str:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise OSError("node and npm are not installed")
    return npm


def hindrance(name: str, folder: Path) -> str | None:
    """What of this machine keeps a CLI from being tried at all, told before anything is done."""
    if name != "gemini":
        return None
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o022:
            return f"others may write to {parent}: move PERLES_AGENTS_CACHE"
    return None


def install(name: str, version: str = "pinned") -> Path:
    """The CLI's program, installed where it is missing. Raises `OSError` where npm cannot."""
    package = package_of(name, version)
    folder = cache_folder() / package.replace("/", "_").replace("@", "_")
    program = folder / "node_modules" / (PROGRAMS.get(name) or f".bin/{name}")
    if program.exists():
        return program
    npm = _npm()
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode or not program.exists():
        raise OSError(f"npm install {package}: {done.stderr[-500:]}")
    return program


def settings(url: str, home: Path, programs: dict[str, Path]) -> dict[str, Any]:
    """The `orchestration` part of a configuration that sends every CLI to the model at `url`."""
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    own |= {"XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}
    own |= {"XDG_STATE_HOME": str(home / "state")}
    codex = f'{{name="scripted",base_url="{url}/v1",env_key="SCRIPTED_KEY",wire_api="responses"'
    codex += "}"
    found: dict[str, Any] = {
        "claude": {
            "model": "sonnet",
            "env": {
                **own,
                "ANTHROPIC_BASE_URL": url,
                "ANTHROPIC_API_KEY": "${SCRIPTED_KEY}",
            },
        },
        "codex": {
            "model": "gpt-5-codex",
            "args": ["-c", 'model_provider="scripted"', "-c", f"model_providers.scripted={codex}"],
            "env": {**own, "SCRIPTED_KEY": "${SCRIPTED_KEY}", "CODEX_HOME": str(home / "codex")},
        },
        "gemini": {
            "model": "gemini-2.5-pro",
            "env": {
                **own,
                "GOOGLE_GEMINI_BASE_URL": url,
                "GEMINI_API_KEY": "${SCRIPTED_KEY}",
            },
        },
        "opencode": {"model": "scripted/fast", "env": {**own, "SCRIPTED_KEY": "${SCRIPTED_KEY}"}},
    }
    for name, program in programs.items():
        found[name]["executable"] = str(program)
    return found


def prepare_home(url: str, home: Path) -> None:
    """What CLIs read from the home folder: only opencode needs a file to know the model."""
    (home / "codex").mkdir(parents=True, exist_ok=True)
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "scripted",
        "options": {"baseURL": f"{url}/v1", "apiKey": "{env:SCRIPTED_KEY}"},
        "models": {
            "fast": {
                "name": "fast",
                "limit": {"context": 200000, "output": 8000},
                "cost": {"input": PRICE_IN, "output": PRICE_OUT},
            }
        },
    }
    (folder / "opencode.json").write_text(json.dumps({"provider": {"scripted": provider}}))


def write_config(path: Path, url: str, home: Path, programs: dict[str, Path]) -> None:
    """The configuration file of a test."""
    prepare_home(url, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"orchestration": settings(url, home, programs)}))
