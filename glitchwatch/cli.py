"""The command line: `check`, `watch`, `up`, `demo`, `detectors`. Exit: 0 good, 1 defects, 2 usage, 3 not analysed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from contracts.errors import ConfigError, GlitchwatchError
from glitchwatch import __version__

EXIT_USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glitchwatch")
def cli() -> None:
    """Watch video streams for black, freeze, silence, stalls and other defects.

    Exit status: 0 nothing at `error` or above, 1 at least one such defect, 2 wrong usage or configuration,
    3 an input could not be analysed to its end.
    """


def _source_options(command: Any) -> Any:
    """Options about what runs, and how inputs are reached: the same for every command that reads one."""
    for option in reversed(
        [
            click.option(
                "--profile", "profile_path", type=click.Path(dir_okay=False), help="Profile (TOML)."
            ),
            click.option("--only", metavar="NAME,NAME", help="Run these detectors alone."),
            click.option(
                "--header", "headers", metavar="NAME:VALUE", multiple=True, help="Send this header."
            ),
            click.option("--user-agent", help="Send this user agent."),
            click.option("--bearer", metavar="TOKEN", help="Send this bearer token."),
            click.option(
                "--carry-query", is_flag=True, help="Send the playlist's query with its segments too."
            ),
            click.option(
                "--variant",
                type=click.Choice(["highest", "lowest", "all"]),
                default="highest",
                show_default=True,
                help="Which variant of a multivariant playlist.",
            ),
            click.option(
                "--language", metavar="TAG", help="Which alternate audio; default: the playlist's own."
            ),
            click.option(
                "--timeout",
                "timeout_s",
                type=click.FloatRange(0.1, 600),
                default=10.0,
                show_default=True,
                help="Seconds without an answer or a byte.",
            ),
        ]
    ):
        command = option(command)
    return command


def _output_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--json", "json_path", metavar="PATH", help="Report as JSON; - is standard output."),
            click.option("--junit", "junit_path", metavar="PATH", help="Report as JUnit XML."),
            click.option("--csv", "csv_path", metavar="PATH", help="Defects as CSV."),
            click.option("--html", "html_path", metavar="PATH", help="Report as one HTML file."),
            click.option("--ebu-qc", "ebu_qc_path", metavar="PATH", help="Report as EBU-QC-style XML."),
            click.option(
                "--evidence", "evidence_dir", metavar="DIR", help="Save a picture of each defect here."
            ),
            click.option(
                "--measurements",
                "measurements_path",
                metavar="PATH",
                help="Every measurement over time (.csv or .csv.gz).",
            ),
        ]
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@_source_options
@_output_options
@click.pass_context
def check(context: click.Context, /, inputs: tuple[str, ...], **options: Any) -> None:
    """Analyse files or URLs to their end and say what is wrong with them."""
    from glitchwatch.running import check_inputs

    request = _request(options)
    context.exit(check_inputs(inputs, request))


@cli.command()
@click.argument("url")
@click.option("--for", "for_s", metavar="DURATION", help="End after 60s, 10m or 1h of wall time.")
@_source_options
@_output_options
@click.option("--memory", is_flag=True, help="Print how the memory of this process grew, at the end.")
@click.pass_context
def watch(context: click.Context, /, url: str, for_s: str | None, memory: bool, **options: Any) -> None:
    """Watch a live URL; reconnect when it goes away; end with Ctrl-C or after --for."""
    from glitchwatch.running import watch_url

    request = replace(_request(options), memory=memory)
    context.exit(watch_url(url, request, for_s=None if for_s is None else seconds(for_s)))


@cli.command()
@click.argument("name", required=False)
@click.option("--json", "json_path", metavar="PATH", help="The catalogue as JSON; - is standard output.")
@click.option("--plot", "source", metavar="INPUT", help="Draw what NAME measures in this file or URL.")
@click.option("--out", metavar="PATH", help="Where to draw: .html or .png; default: NAME.html.")
@click.pass_context
def detectors(
    context: click.Context, name: str | None, json_path: str | None, source: str | None, out: str | None
) -> None:
    """List the detectors; with NAME, that one's manual page, or its measurements over time (--plot)."""
    from glitchwatch.listing import list_detectors, show_manual

    if source is not None:
        from glitchwatch.plot import plot

        if name is None:
            raise ConfigError(
                "--plot draws one detector.", "Name it: glitchwatch detectors freeze --plot clip.mp4"
            )
        context.exit(plot(name, source, out, Console()))
    if out is not None:
        raise ConfigError("--out goes with --plot.")
    if name is not None:
        show_manual(Console(), name)
    else:
        list_detectors(Console(), json_path)


@cli.command()
@click.option("--seed", type=int, help="Draw the faults from this seed; default: a fresh one, printed.")
@click.option("--seconds", "length_s", type=click.FloatRange(20, 86_400), default=60.0, show_default=True)
@click.option("--forever", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--channels", type=click.IntRange(1, 6), help="How many; default: what this machine carries.")
@click.pass_context
def demo(
    context: click.Context, seed: int | None, length_s: float, forever: bool, channels: int | None
) -> None:
    """Watch live channels that this machine makes itself, with faults drawn from a seed."""
    from glitchwatch.demo import run_demo

    context.exit(run_demo(seed, length_s, forever, Console(), channels=channels))


@cli.command()
@click.option(
    "--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="How many workers to start."
)
@click.option(
    "--data", "data_dir", metavar="DIR", help="Where the store keeps its data; default: the user's folder."
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="Port of the API."
)
@click.option("--new-key", is_flag=True, help="Make another API key and print it.")
@click.pass_context
def up(context: click.Context, workers: int, data_dir: str | None, port: int, new_key: bool) -> None:
    """Run a whole fleet on this machine: store, controller, workers. One Ctrl-C ends it all."""
    from glitchwatch.up import run_up

    context.exit(run_up(workers, Path(data_dir) if data_dir else None, port, Console(), new_key=new_key))


def _request(options: dict[str, Any]) -> Any:
    from glitchwatch.running import Outputs, Request
    from worker.ingest.options import IngestOptions, VariantPolicy

    timeout = float(options["timeout_s"])
    ingest = IngestOptions(
        open_timeout_s=timeout,
        read_timeout_s=timeout,
        headers=dict(_header(text) for text in options["headers"]),
        user_agent=options["user_agent"] or f"glitchwatch/{__version__}",
        bearer=options["bearer"],
        carry_query=options["carry_query"],
        variants=VariantPolicy(options["variant"]),
        audio_language=options["language"],
    )
    outputs = Outputs(
        json=options["json_path"],
        junit=options["junit_path"],
        csv=options["csv_path"],
        html=options["html_path"],
        ebu_qc=options["ebu_qc_path"],
        evidence=options["evidence_dir"],
        measurements=options["measurements_path"],
    )
    only = [name.strip() for name in (options["only"] or "").split(",") if name.strip()]
    if options["only"] is not None and not only:
        raise ConfigError("--only names no detector.", "Write `--only black,silence`.")
    path = options["profile_path"]
    return Request(ingest, outputs, Path(path) if path else None, tuple(only))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(c in text for c in "\r\n"):
        raise ConfigError(f"--header {name!r} is not NAME:VALUE.")
    return name.strip(), value.strip()


def seconds(text: str) -> float:
    """The seconds in `90`, `60s`, `10m`, `1.5h` or `1h30m`; ConfigError when it is none of these."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    total, number = 0.0, ""
    try:
        for char in text.strip().lower():
            if char in units:
                total += float(number) * units[char]
                number = ""
            else:
                number += char
        total += float(number) if number else 0.0
    except ValueError:
        total = 0.0
    if not 0 < total < 1e9:
        raise ConfigError(f"{text!r} is not a duration.", "Write 90, 60s, 10m or 1h30m.")
    return total


def main() -> None:
    """Run the command line; an expected error is one sentence on standard error, never a traceback."""
    try:
        status = cli.main(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(EXIT_USAGE)
    except GlitchwatchError as error:
        click.echo(f"glitchwatch: {error.explain()}", err=True)
        sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    main()
