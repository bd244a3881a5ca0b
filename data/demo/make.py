#!/usr/bin/env python3
"""Makes this folder from a collection of free-game music with tags and playlists.

    python3 make.py COLLECTION [DEMO]

COLLECTION has audio/GAME/TITLE.EXT, songs.tsv, tags.tsv, playlists.tsv and LICENSES.csv; DEMO is
this script's folder by default. Needs ffmpeg with libvorbis. Python's standard library is enough.
"""
import collections
import concurrent.futures
import csv
import pathlib
import re
import shutil
import subprocess
import sys

SECONDS = 6
RATE = 22050
QUALITY = "0"
FEWEST_CLIPS = 7  # of a game, under one of LICENCES
FEWEST_SONGS = 10  # of a tag, among the clips
LICENCES = re.compile(r"CC-BY(-SA)?-")
# Decades, years and composers say nothing that a listener could hear.
NOT_HEARD = re.compile(r"\d{4}s?")


def read(path, delimiter):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def encode(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-bitexact", "-i", str(source), "-t", str(SECONDS), "-vn", "-map_metadata", "-1",
         "-ac", "1", "-af", f"aresample={RATE}:filter_size=256:cutoff=0.98",
         "-c:a", "libvorbis", "-q:a", QUALITY, "-flags", "+bitexact", str(target)],
        check=True,
    )


def main():
    collection = pathlib.Path(sys.argv[1])
    demo = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).parent
    songs = {row["song"]: row for row in read(collection / "songs.tsv", "\t")}
    licences = {row["file"]: row for row in read(collection / "LICENSES.csv", ",")}

    free = [s for s, row in songs.items() if row["has_audio"] == "1" and LICENCES.match(licences[row["path"]]["licence"])]
    games = collections.Counter(songs[s]["game"] for s in free)
    chosen = sorted(s for s in free if games[songs[s]["game"]] >= FEWEST_CLIPS)
    named = {s: str(pathlib.PurePosixPath(s).with_suffix(".ogg")) for s in chosen}
    assert len(set(named.values())) == len(chosen)

    composers = {row["composer"].casefold() for row in songs.values() if row["composer"]}
    tags = collections.defaultdict(list)
    for row in read(collection / "tags.tsv", "\t"):
        if not NOT_HEARD.fullmatch(row["tag"]) and row["tag"].casefold() not in composers:
            tags[row["tag"]].append(row["song"])
    kept = {t for t, of in tags.items() if sum(s in named for s in of) >= FEWEST_SONGS}

    playlists = collections.defaultdict(list)
    for row in sorted(read(collection / "playlists.tsv", "\t"), key=lambda r: int(r["position"])):
        playlists[row["playlist"]].append(row["song"])
    playlists = {name: of for name, of in playlists.items() if len(set(of) & set(chosen)) >= 2}
    reached = {s for of in playlists.values() for s in of}
    # Songs with audio that were not chosen are left out: the demo lends from these alone.
    lenders = sorted(s for s in reached if songs[s]["has_audio"] == "0")
    playlists = {name: [s for s in of if s in named or s in lenders] for name, of in playlists.items()}

    for folder in ("audio", "playlists"):
        shutil.rmtree(demo / folder, ignore_errors=True)
        (demo / folder).mkdir(parents=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda s: encode(collection / songs[s]["path"], demo / "audio" / named[s]), chosen))

    def name(song):
        return named.get(song, song)

    def write(path, delimiter, header, rows):
        with open(demo / path, "w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            out.writerow(header)
            out.writerows(rows)

    links = sorted((name(s), t) for t in kept for s in set(tags[t]) if s in named or s in lenders)
    write("tags.tsv", "\t", ["song", "tag"], links)
    for playlist, of in playlists.items():
        target = demo / "playlists" / pathlib.Path(playlist).with_suffix(".m3u8")
        lines = ["#EXTM3U"] + [f"../audio/{name(s)}" for s in of]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def author(song):
        # Without addresses: a licence asks for names.
        text = licences.get(songs[song]["path"], {}).get("author") or songs[song]["composer"]
        return re.sub(r"\s*[<(]?[\w.+-]+@[\w.-]+\w[>)]?", "", text).strip()

    write("songs.tsv", "\t", ["song", "game", "title", "author"],
          [(name(s), songs[s]["game"], songs[s]["title"], author(s)) for s in chosen + lenders])
    write("LICENSES.csv", ",", ["file", "licence", "author", "title", "package", "version", "note"],
          [(f"audio/{named[s]}", l["licence"], author(s), songs[s]["title"], l["package"], l["version"], "excerpt, re-encoded")
           for s in chosen for l in [licences[songs[s]["path"]]]])

    size = sum(f.stat().st_size for f in (demo / "audio").rglob("*.ogg"))
    lend = {s for s, _ in links} & set(lenders)
    print(f"{len(chosen)} songs of {len(set(songs[s]['game'] for s in chosen))} games, {size} bytes")
    print(collections.Counter(songs[s]["game"] for s in chosen).most_common())
    print(collections.Counter(licences[songs[s]["path"]]["licence"] for s in chosen).most_common())
    print(f"{len(kept)} tags, {len(links)} links: {sorted(kept)}")
    print(f"{len(playlists)} playlists reach {len(reached & set(chosen))}; {len(lenders)} songs without audio, {len(lend)} lend")


if __name__ == "__main__":
    main()
