"""Which media playlists of a multivariant playlist are followed. Source: RFC 8216, 4.3.4 and 6.3.1."""

from __future__ import annotations

from contracts.fleet import rendition_word
from worker.ingest.hls.items import Rendition
from worker.ingest.hls.playlist import AudioMedia, MultivariantPlaylist, Variant
from worker.ingest.options import IngestOptions, VariantPolicy

MAX_RENDITIONS = 32
_PICTURE = ("avc", "hvc", "hev", "dvh", "dva", "vp0", "vp8", "vp9", "av01", "mp4v", "vvc", "vvi", "jxs")


def select(playlist: MultivariantPlaylist, options: IngestOptions) -> tuple[Rendition, ...]:
    """The renditions to follow, a main one first.

    `highest` and `lowest` give one variant by bandwidth, of those with a picture when there are any, and the
    separate audio that goes with it, if any: in the wanted language, else the default. `all` gives each variant
    and each separate audio rendition once.
    """
    variants = _distinct(playlist.variants)
    if options.variants is VariantPolicy.ALL:
        chosen = variants
        wanted = [m for m in playlist.audio if m.url and any(v.audio == m.group for v in variants)]
    else:
        seen = [v for v in variants if _has_picture(v)] or variants
        pick = max if options.variants is VariantPolicy.HIGHEST else min
        named = _named(seen, options.rendition)
        variant = named or pick(seen, key=lambda v: (v.bandwidth, v.width * v.height))
        chosen = [variant]
        media = _audio_of(playlist, variant, options.audio_language)
        wanted = [media] if media is not None and media.url and media.url != variant.url else []
    names: set[str] = set()
    renditions = [_main(variant, names) for variant in chosen]
    addresses = {r.url for r in renditions}
    for media in wanted:
        if media.url and media.url not in addresses:
            addresses.add(media.url)
            name = _unused(f"audio-{media.group}-{media.language or media.name or 'und'}", names)
            renditions.append(Rendition(name, "audio", media.url, language=media.language))
    return tuple(renditions[:MAX_RENDITIONS])


def single(url: str) -> tuple[Rendition, ...]:
    """For an address that is a media playlist itself."""
    return (Rendition("main", "main", url),)


def _distinct(variants: tuple[Variant, ...]) -> list[Variant]:
    """One variant for each address: the same one is listed again for each group of audio or subtitles."""
    found: dict[str, Variant] = {}
    for variant in variants:
        found.setdefault(variant.url, variant)
    return list(found.values())


def _named(variants: list[Variant], name: str | None) -> Variant | None:
    """The variant whose rendition has this name, as a probe lists them."""
    names: set[str] = set()
    found = {rendition_word(_main(variant, names).name): variant for variant in variants}
    return found.get(name) if name is not None else None


def _has_picture(variant: Variant) -> bool:
    return bool(variant.width) or any(c.strip().startswith(_PICTURE) for c in variant.codecs.split(","))


def _audio_of(playlist: MultivariantPlaylist, variant: Variant, language: str | None) -> AudioMedia | None:
    group = [m for m in playlist.audio if m.group == variant.audio]
    if language:
        spoken = [
            m for m in group if (m.language or "").split("-")[0].lower() == language.split("-")[0].lower()
        ]
        exact = [m for m in spoken if (m.language or "").lower() == language.lower()]
        group = exact or spoken or group
    return max(group, key=lambda m: (m.default, m.autoselect), default=None)


def _main(variant: Variant, names: set[str]) -> Rendition:
    kind = f"{variant.height}p-" if variant.height else ""
    return Rendition(
        _unused(f"main-{kind}{variant.bandwidth}", names),
        "main",
        variant.url,
        variant.bandwidth,
        variant.width,
        variant.height,
        variant.frame_rate,
        variant.codecs,
    )


def _unused(name: str, names: set[str]) -> str:
    """`name`, with a number when it was given already (redundant variants look alike)."""
    number, result = 1, name
    while result in names:
        number += 1
        result = f"{name}-{number}"
    names.add(result)
    return result
