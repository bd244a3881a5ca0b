"""Makes tests/data/importers: a small Last.fm database and pickles as Python's own sqlite3 and pickle write
them, and what SQLite's own join says is in the database. Needs Python 3 alone."""
import json
import os
import pickle
import sqlite3

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "importers")


def track(n):
    return "TRAAAAA128F%07d" % n


def database():
    path = os.path.join(HERE, "lastfm_tags.db")
    if os.path.exists(path):
        os.remove(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA page_size = 512")
    db.execute("CREATE TABLE tids (tid TEXT PRIMARY KEY)")
    db.execute("CREATE TABLE tags (tag TEXT)")
    db.execute("CREATE TABLE tid_tag (tid INT, tag INT, val FLOAT)")
    tids = [1, 20, 2, 3, 4, 5, 9, 7, 8]
    db.executemany("INSERT INTO tids VALUES (?)", [(track(n),) for n in tids])
    tags = ["rock", "gone", "Hip-Hop", "hip-hop", " café ", '"weird" al, \t', ""]
    db.executemany("INSERT INTO tags VALUES (?)", [(tag,) for tag in tags])
    # Row numbers with gaps: the links are by number of row, not by place.
    db.execute("DELETE FROM tids WHERE rowid = 2")
    db.execute("DELETE FROM tags WHERE rowid = 2")
    links = [(1, 1, 100), (1, 3, 50), (3, 1, 100), (3, 1, 100), (3, 4, 0), (4, 5, 33), (5, 1, 51), (5, 6, 7)]
    links += [(6, 1, 100), (6, 3, 20), (7, 1, 0), (8, 1, 60), (9, 1, 60)]
    # A row that is not there, twice; what is no number, twice; a tag without a name.
    links += [(99, 1, 100), (1, 42, 100), ("x", 1, 10), (1, 1, None), (4, 7, 9)]
    db.executemany("INSERT INTO tid_tag VALUES (?, ?, ?)", links)
    db.commit()
    rows = db.execute(
        "SELECT tids.tid, trim(tags.tag, ' ' || char(9)), tid_tag.val FROM tid_tag, tids, tags"
        " WHERE tags.ROWID = tid_tag.tag AND tid_tag.tid = tids.ROWID"
        " AND typeof(val) = 'real' AND tags.tag != '' ORDER BY 1, 2, 3"
    ).fetchall()
    db.close()
    with open(os.path.join(HERE, "lastfm_tags.json"), "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=0, ensure_ascii=False)
        out.write("\n")


def pickles():
    clips = {track(1): 11, track(2): 12, track(3): "13", track(4): 14, track(6): 16, track(7): 17, track(8): 18}
    # A clip that is another track's already, one that is not there, a key that is no track.
    clips.update({track(13): 11, track(12): 88, "no track": 7})
    files = {
        "MSD_id_to_7D_id.pkl": (clips, 0),
        "MSD_id_to_7D_id.protocol4.pkl": (clips, 4),
        "test_list_pub.cP": (["d/ambient_teknology-phoenix-01-ambient_teknology-0-29.npy", "f/é-1.npy"], 2),
        "train_object.cP": ([1.5], 2),
    }
    for name, (what, protocol) in files.items():
        with open(os.path.join(HERE, name), "wb") as out:
            pickle.dump(what, out, protocol)


os.makedirs(HERE, exist_ok=True)
database()
pickles()
