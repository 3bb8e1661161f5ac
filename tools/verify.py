#!/usr/bin/env python3
"""Checks a Portledger ledger, or one proof, without a line of Portledger.

    python3 tools/verify.py tree DIR --key VKEY|FILE [--public] [--json]      DIR is .../ledgers/<name>
    python3 tools/verify.py proof FILE --key VKEY|FILE [--json]

Written from docs/formats.md alone, with the standard library alone. No secret is needed: what is checked is everything but the
plaintext of records. Exit code 0: nothing found; 1: something is wrong; 2: usage.

The tree is checked from the top: the signed root vouches for the tiles at the right edge, each tile for the tiles below it,
level 0 for the entries, and the entries for the segments of frames. So what is reported is the file that was changed, and not
everything that rests on it.
"""

import argparse
import base64
import hashlib
import itertools
import json
import os
import re
import struct
import sys
import zlib

EMPTY = hashlib.sha256(b"").digest()


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    return sha(b"\0", entry)


def node(left, right):
    return sha(b"\1", left, right)


class Bad(Exception):
    """What is wrong, in words."""


def need(condition, problem):
    if not condition:
        raise Bad(problem)


def b64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad("malformed base 64") from None
    need(base64.b64encode(data).decode() == text, "base 64 is not in its canonical spelling")
    return data


def number(text):
    need(re.fullmatch(r"0|[1-9][0-9]{0,15}", text, re.ASCII) and int(text) < 2**53, "malformed number")
    return int(text)


# Ed25519 (RFC 8032, section 5.1), verification only. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    s, t, u, v = f - e, h - g, h + g, f + e
    return s * t % P, u * v % P, t * u % P, s * v % P


def multiply(k, point):
    result = (0, 1, 1, 0)
    while k:
        if k & 1:
            result = add(result, point)
        point, k = add(point, point), k >> 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need(y < P and (x * x - x2) % P == 0 and not (x == 0 and sign), "not a point of the curve")
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_good(public, message, signature):
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    x, y, z, t = decompress(public)
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    s = int.from_bytes(signature[32:], "little")
    x, y, z, _ = add(multiply(s, BASE), multiply(k, (P - x, y, z, P - t)))  # R = sB - kA
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# Keys, notes, checkpoints (section 1; C2SP signed-note and tlog-checkpoint)


def parse_key(text):
    parts = text.strip().split("+", 2)
    need(len(parts) == 3, "the key does not have the form <name>+<id>+<key>")
    name, key_id, material = parts[0], parts[1], b64(parts[2])
    need(len(material) == 33 and material[0] == 1, "the key is not an Ed25519 key")
    need(sha(name.encode(), b"\n", material)[:4].hex() == key_id, "the key's id does not belong to its name and key")
    return name, bytes.fromhex(key_id), material[1:]


def open_checkpoint(note, key):
    name, key_id, public = key
    need(not any(byte < 32 and byte != 10 for byte in note), "the checkpoint has control characters in it")
    try:
        text, empty, lines = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Bad("the checkpoint is not UTF-8") from None
    need(empty and lines.endswith("\n") and lines.count("\n") <= 64, "the checkpoint is not a signed note")
    text += "\n"
    good = 0
    for line in lines[:-1].split("\n"):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "—" and parts[1] and "+" not in parts[1], "malformed signature line")
        blob = b64(parts[2])
        need(len(blob) > 4, "malformed signature line")
        if parts[1] == name and blob[:4] == key_id:
            need(ed25519_good(public, text.encode(), blob[4:]), "the log's signature is not good for this checkpoint")
            good += 1
    need(good, f"{name} has not signed the checkpoint with this key")
    lines = text[:-1].split("\n")
    need(len(lines) >= 3 and all(lines), "the checkpoint has fewer than three lines or an empty one")
    size, root = number(lines[1]), b64(lines[2])
    need(lines[0] == name, f"the checkpoint is of {lines[0]}, the key is of {name}")
    need(len(root) == 32 and (size or root == EMPTY), "the checkpoint's root is no root")
    return size, root


# Proof files (section 5; C2SP tlog-proof)


def check_proof(data, key):
    head, empty, note = data.partition(b"\n\n")
    lines = head.decode("latin-1").split("\n")
    need(empty and lines.pop(0) == "c2sp.org/tlog-proof@v1", "this is not a proof file")
    need(lines and lines[0].startswith("extra "), "the proof discloses no entry")
    extra = b64(lines.pop(0)[6:])
    need(lines and lines[0].startswith("index ") and len(lines) <= 64, "malformed index line, or too many hashes")
    index, path = number(lines.pop(0)[6:]), [b64(line) for line in lines]
    size, root = open_checkpoint(note, key)
    need(all(len(step) == 32 for step in path), "a hash of the proof is not 32 bytes long")
    need(index < size, f"index {index} is beyond the tree's size {size}")
    kind = {1: "record", 2: "quarantined", 16: "control"}.get(extra[0] if extra else None)
    need(kind and (kind == "control" or len(extra) >= 33), "the proof discloses no known kind of entry")
    content = extra[1:] if kind == "control" else extra[33:]
    entry = extra if kind == "control" else extra[:1] + sha(extra[1:33], content)

    def climb(index, size, path):  # the root that a path leads to, from the definition of the tree
        if size == 1:
            need(not path, "the proof has hashes to spare")
            return leaf(entry)
        need(path, "the proof lacks hashes")
        split = 1 << (size - 1).bit_length() - 1
        if index < split:
            return node(climb(index, split, path[:-1]), path[-1])
        return node(path[-1], climb(index - split, size - split, path[:-1]))

    need(climb(index, size, path) == root, "the disclosed entry does not lead to the signed root")
    return {"origin": key[0], "index": index, "size": size, "kind": kind, "content": content.decode("utf-8", "replace")}


# Trees (sections 1 and 2; C2SP tlog-tiles)


def rows(hashes):
    """A tile's hashes, then the rows of complete subtrees above them."""
    while hashes:
        yield hashes
        hashes = [node(a, b) for a, b in zip(hashes[::2], hashes[1::2])]


def tile_root(hashes):
    return list(rows(hashes))[-1][0]


def edge_root(tiles):
    """The root of a tree from its partial tiles, those of the leaves first."""
    root = None
    for peak in (row[-1] for tile in tiles for row in rows(tile) if len(row) % 2):
        root = node(peak, root) if root else peak
    return root or EMPTY


def place_path(kind, index):
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{kind}/" + "/".join(groups)


def split_hashes(data, whole):
    need(len(data) == 32 * whole, f"the tile has {len(data)} bytes, expected {32 * whole}")
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def split_entries(data, whole):
    entries, at = [], 0
    for _ in range(whole):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        need(at + 2 <= len(data) and end <= len(data), f"the bundle ends within entry {len(entries)} of {whole}")
        entries.append(data[at + 2 : end])
        at = end
    need(at == len(data), f"{len(data) - at} bytes follow the bundle's {whole} entries")
    return entries


# What a ledger's directory may hold (sections 1 and 3), temporary files of a writer included.
DIRECTORIES = r"content|tile(/(entries|[0-9]|[1-5][0-9]|6[0-3])(/x[0-9]{3})*(/[0-9]{3}\.p)?)?"
FILES = (
    r"checkpoint|key\.pub|.*\.tmp|content/[0-9]{10}\.seg"
    r"|tile/[^/]+(/x[0-9]{3})*/[0-9]{3}(\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


class Ledger:
    def __init__(self, directory, key):
        self.directory, self.key, self.problems = directory, key, []
        self.size, self.root, self.checkpoint = 0, EMPTY, ""
        self.kinds, self.controls = bytearray(), {}  # each entry's kind, 0 where it is not known; index -> control entry

    def read(self, path):
        try:
            with open(os.path.join(self.directory, path), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def list(self, path):
        try:
            return sorted(os.listdir(os.path.join(self.directory, path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def report(self, file, first, end, problem):
        self.problems.append({"file": file, "from": first, "to": end, "problem": problem})

    def check(self, public_only):
        self.check_names("", public_only)
        try:
            note = self.read("checkpoint")
            need(note is not None, "there is no checkpoint")
            self.size, self.root = open_checkpoint(note, self.key)
            self.checkpoint = note.decode()
        except Bad as bad:
            return self.report("checkpoint", 0, 0, str(bad))
        try:
            need(parse_key((self.read("key.pub") or b"").decode()) == self.key, "this is not the key that was given")
        except (Bad, ValueError) as bad:
            self.report("key.pub", 0, self.size, str(bad))
        self.check_tree()
        if not public_only:
            Segments(self).check()
        self.problems.sort(key=lambda problem: (problem["from"], problem["file"]))

    def check_names(self, directory, public_only):
        with os.scandir(os.path.join(self.directory, directory)) as found:
            for item in sorted(found, key=lambda item: item.name):
                path = directory + item.name
                if item.is_symlink():
                    self.report(path, 0, 0, "a symbolic link does not belong here")
                elif item.is_dir(follow_symlinks=False) and re.fullmatch(DIRECTORIES, path, re.ASCII):
                    if not public_only or path != "content":
                        self.check_names(path + "/", public_only)
                elif not item.is_file(follow_symlinks=False) or not re.fullmatch(FILES, path, re.ASCII):
                    self.report(path, 0, 0, "this does not belong here")

    def versions(self, place, width, split):
        """Every file of a place: (path, items or what is wrong with them). The one of this width first, then wider ones: older
        partial files may still be there, and a newer one may have taken this one's place."""
        widths = [int(n) for n in self.list(place + ".p") if re.fullmatch("[1-9][0-9]{0,2}", n, re.ASCII) and int(n) < 256]
        names = {256: place} | {n: f"{place}.p/{n}" for n in widths}
        found = []
        for whole in sorted(names, key=lambda whole: (whole < width, whole)):
            data = self.read(names[whole])
            try:
                if data is not None:
                    found.append((names[whole], split(data, whole)))
            except Bad as bad:
                found.append((names[whole], bad))
        return found

    def candidates(self, level, index, width):
        """What the tile's hashes might be: as stored, then as computed from what lies below."""
        for _, items in self.versions(place_path(level, index), width, split_hashes):
            if not isinstance(items, Bad) and len(items) >= width:
                yield items[:width]
        if level == 0:
            for _, items in self.versions(place_path("entries", index), width, split_entries):
                if not isinstance(items, Bad) and len(items) >= width:
                    yield [leaf(entry) for entry in items[:width]]
        else:
            tiles = [next(self.candidates(level - 1, index * 256 + i, 256), None) for i in range(width)]
            if None not in tiles:
                yield [tile_root(tile) for tile in tiles]

    def check_tree(self):
        edges = []  # (level, index, width) of each partial tile, that of the leaves first
        level, count = 0, self.size
        while count:
            if count % 256:
                edges.append((level, count // 256, count % 256))
            level, count = level + 1, count // 256
        known = {edge[:2]: next(self.candidates(*edge), None) for edge in edges}
        if None in known.values() or edge_root(known.values()) != self.root:
            self.find_edges(edges, known)
        while level:
            level -= 1
            for index in range(self.size // 256 ** (level + 1)):
                above = known.get((level + 1, index // 256))
                wanted = above and above[index % 256]
                options = self.candidates(level, index, 256)
                tile = next((tile for tile in options if wanted in (None, tile_root(tile))), None)
                known[level, index] = tile or next(self.candidates(level, index, 256), None)
                if known[level, index] and not tile:
                    span = (index * 256 ** (level + 1), (index + 1) * 256 ** (level + 1))
                    self.report(place_path(level, index), *span, "the tile does not hash to what the tile above says")
        for (level, index), tile in sorted(known.items()):
            width = min(256, self.size // 256**level - index * 256)
            self.check_tile(level, index, width, tile)
            if level == 0:
                self.check_entries(index, width, tile)

    def find_edges(self, edges, known):
        """Replaces as few of the edge's tiles as must be wrong for the root to be right."""
        options = []
        for edge in edges:
            different = [list(tile) for tile in dict.fromkeys(map(tuple, self.candidates(*edge)))]
            options.append(different[:3] + different[3:][-1:])  # a bound on what a directory full of junk costs
        for choice in sorted(itertools.product(*(range(len(option)) for option in options)), key=sum):
            tiles = [option[i] for option, i in zip(options, choice)]
            if edge_root(tiles) == self.root:
                known.update(zip(known, tiles))
                return
        self.report("checkpoint", 0, self.size, "no tiles lead to the signed root")

    def check_tile(self, level, index, width, tile):
        place, leaves = place_path(level, index), 256**level
        first = index * 256 * leaves
        found = self.versions(place, width, split_hashes)
        if not any(isinstance(items, Bad) or len(items) >= width for _, items in found):
            self.report(place if width == 256 else f"{place}.p/{width}", first, first + width * leaves, "the tile is missing")
        for path, items in found:
            if isinstance(items, Bad):
                self.report(path, first, first + width * leaves, str(items))
                continue
            wrong = [i for i, pair in enumerate(zip(items, tile or [])) if pair[0] != pair[1]]
            if wrong:
                span = (first + wrong[0] * leaves, first + (wrong[-1] + 1) * leaves)
                self.report(path, *span, "the tile has hashes that the checkpoint does not vouch for")

    def check_entries(self, index, width, tile):
        place, first = place_path("entries", index), index * 256
        found = self.versions(place, width, split_entries)
        if not any(isinstance(items, Bad) or len(items) >= width for _, items in found):
            self.report(place if width == 256 else f"{place}.p/{width}", first, first + width, "the bundle is missing")
        for path, items in found:
            if isinstance(items, Bad):
                self.report(path, first, first + width, str(items))
                continue
            wrong = [i for i, (entry, hash) in enumerate(zip(items, tile or [])) if leaf(entry) != hash]
            if wrong:
                span = (first + wrong[0], first + wrong[-1] + 1)
                self.report(path, *span, "the bundle has entries that the checkpoint does not vouch for")
        entries = next((items for _, items in found if not isinstance(items, Bad) and len(items) >= width), [b""] * width)
        for at, (entry, hash) in enumerate(zip(entries, tile or [None] * width), first):
            known = leaf(entry) == hash
            self.kinds.append(entry[0] if known and entry else 0)
            if known and entry[:1] == b"\x10":
                self.controls[at] = entry
            elif known and (entry[:1] not in (b"\1", b"\2") or len(entry) != 33):
                self.report(place, at, at + 1, "the entry is of no known kind and length")


# Segments of frames (section 3)


class Segments:
    def __init__(self, ledger):
        self.ledger, self.next, self.chain, self.epoch = ledger, 0, bytes(32), 0
        self.boundaries = {(0, 0): (bytes(32), 0)}  # (segment, offset) -> frame chain, index of the next entry
        self.excused = 0  # a chain that differs from here on has been explained by another problem
        self.covered = 0  # entries whose frames a good `content` entry vouches for

    def report(self, end, problem):
        self.ledger.report(self.file, self.next, end, problem)
        self.excused = self.next + 1

    def check(self):
        names = [name for name in self.ledger.list("content") if re.fullmatch(r"[0-9]{10}\.seg", name)]
        count = max((int(name[:10]) for name in names), default=0)
        contents = [self.ledger.read(f"content/{n:010}.seg") for n in range(1, count + 1)]
        for at, data in enumerate(contents):
            self.file = f"content/{at + 1:010}.seg"
            after = contents[at + 1][:128] if at + 1 < count and contents[at + 1] else b""
            known = len(after) == 128 and zlib.crc32(after[:124]) == int.from_bytes(after[124:], "big")
            first_after, previous_length = struct.unpack_from(">Q32xQ", after, 24) if known else (self.ledger.size, None)
            try:
                need(data is not None, "the segment is missing")
                need(previous_length is None or previous_length <= len(data), "the segment is shorter than its successor says")
                self.check_segment(at + 1, data[:previous_length], last=at + 1 == count)
            except Bad as bad:
                self.report(max(self.next, first_after), str(bad))
                if known:
                    self.next, self.chain = first_after, after[32:64]
        self.file = "content"
        if self.next < self.ledger.size:
            self.report(self.ledger.size, "there are no frames for these entries")
        elif self.covered < self.ledger.size and any(kind in (1, 2) for kind in self.ledger.kinds[self.covered :]):
            self.report(self.ledger.size, "no content entry vouches for the frames of these entries")

    def check_segment(self, number, data, last):
        head = data[:128]
        need(len(head) == 128 and head[:8] == b"PLSEG\0\0\1", "this is not a segment")
        need(zlib.crc32(head[:124]) == int.from_bytes(head[124:], "big"), "the header's checksum is wrong")
        named, self.segment_epoch, first, chain, _, origin = struct.unpack_from(">QQQ32sQ32s", head, 8)
        need(named == number and first == self.next, f"the header is of segment {named} from entry {first} on")
        need(self.segment_epoch >= self.epoch > 0 or number == 1, "the header's epoch is over, or none was opened")
        need(origin == sha(self.ledger.key[0].encode()) and not any(head[104:124]), "the header is of another ledger")
        if chain != self.chain and self.excused <= self.covered:
            self.ledger.report(self.file, self.covered, self.next, "the frames before differ from what the header says")
        self.chain = sha(chain, sha(head))
        self.boundaries[number, 128] = self.chain, self.next
        self.dictionaries = set() if number == 1 or self.epoch != self.segment_epoch else self.dictionaries
        at = 128
        while at < len(data):
            try:
                at += self.check_frame(data, at)
            except Bad:
                if last and self.next >= self.ledger.size:
                    need(self.is_torn(data, at), f"{len(data) - at} bytes at byte {at} are no frame, and none that was cut short")
                    return
                raise
            self.boundaries[number, at] = self.chain, self.next

    def is_torn(self, data, at):
        """Whether a frame that is just being written, or that a crash has torn, can look like this: it ends early, or sectors of
        512 bytes that never reached the disk read as zeros."""
        rest = data[at:]
        if not any(rest[: max(76, 512 - at % 512)]) or b"PLF\1".startswith(rest[:4]) and len(rest) < 76:
            return True
        magic, length, first = struct.unpack_from(">4sIQ", rest) if len(rest) >= 76 else (b"", 0, 0)
        if magic != b"PLF\1" or first != self.next or length < len(rest):
            return False
        cuts = [0, *range(512 - at % 512, len(rest), 512), len(rest)]
        return length > len(rest) or any(end - start >= 16 and not any(rest[start:end]) for start, end in zip(cuts, cuts[1:]))

    def check_frame(self, data, at):
        need(len(data) - at >= 76, "the segment ends within a frame")
        magic, length, first, *_ = header = struct.unpack_from(">4sIQHHIIQ32s", data, at)
        count = sum(header[4:7])
        need(magic == b"PLF\1" and 76 <= length <= len(data) - at, f"no whole frame begins at byte {at}")
        frame = data[at : at + length]
        need(frame[-4:] == frame[4:8], f"the frame at byte {at} gives another length at its end")
        need(first == self.next and count, f"the frame at byte {at} is of {count} entries from {first} on")
        need(first < self.ledger.size or zlib.crc32(frame[:-8]) == int.from_bytes(frame[-8:-4], "big"), "unfinished frame")
        try:
            self.check_sections(frame, *header[2:])
        except Bad as bad:
            self.report(first + count, f"the frame at byte {at}: {bad}")
        self.chain, self.next = sha(self.chain, sha(frame)), first + count
        return length

    def check_sections(self, frame, first, flags, controls, records, quarantined, dictionary, block):
        need(zlib.crc32(frame[:-8]) == int.from_bytes(frame[-8:-4], "big"), "its checksum is wrong")
        secret = records + quarantined > 0
        need(any(block) == secret and flags <= (3 if secret else 0), "its header holds impossible values")
        need(not dictionary or records and dictionary in self.dictionaries, "its dictionary is in no earlier frame")
        if flags & 2:
            self.dictionaries.add(first)
        sections, at = {}, 68
        present = {"control": controls, "requests": flags & 1, "dictionary": flags & 2, "records": records, "quarantine": quarantined}
        for name in [name for name, there in present.items() if there]:
            end = at + 4 + int.from_bytes(frame[at : at + 4], "big")
            need(end <= len(frame) - 8, f"its {name} section is cut short")
            sections[name] = frame[at + 4 : end]
            need(name == "control" or end - at >= 4 + 16, f"its {name} section is too short to be encrypted")
            at = end
        need(at == len(frame) - 8, "bytes follow its last section")
        ledger = self.ledger
        for index, entry in enumerate(split_entries(sections.get("control", b""), controls), first):
            known = index < ledger.size and ledger.kinds[index]
            need(not known or ledger.controls.get(index) == entry, f"its control entry is not entry {index}")
            self.check_control(index, first, control_body(entry))
        kinds = zip(ledger.kinds[first + controls :], b"\1" * records + b"\2" * quarantined)
        need(all(kind in (0, own) for kind, own in kinds), "it has entries of other kinds than the tree")
        need(not secret or self.epoch == self.segment_epoch, f"it holds records though epoch {self.segment_epoch} is not open")

    def check_control(self, index, first, body):
        if body["type"] == "epoch-opened":
            need(body.get("epoch") == self.epoch + 1, f"entry {index} opens epoch {body.get('epoch')} after {self.epoch}")
            self.epoch += 1
        if body["type"] == "content":
            place = body.get("segment"), body.get("offset")
            chain, end = self.boundaries.get(place if all(type(n) is int for n in place) else None, (None, None))
            need(end == index, f"content entry {index} names a place where entry {index} does not begin")
            claimed = str(body.get("chain"))
            if chain.hex() != claimed:
                need(re.fullmatch("[0-9a-f]{64}", claimed), f"content entry {index} has no chain")
                if self.excused <= self.covered:
                    self.ledger.report(self.file, self.covered, index, f"the frames differ from what content entry {index} says")
                if end == first and chain == self.chain:
                    self.chain = bytes.fromhex(claimed)
            self.covered = index


def control_body(entry):
    try:
        body = json.loads(entry[1:].decode())
    except (ValueError, RecursionError):
        raise Bad("the control entry is not JSON") from None
    need(isinstance(body, dict) and isinstance(body.get("type"), str) and body.get("v") == 1, "the control entry has no type")
    return body


# Command line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, operand in (("tree", "DIR"), ("proof", "FILE")):
        command = commands.add_parser(name)
        command.add_argument("path", metavar=operand)
        command.add_argument("--key", required=True, metavar="VKEY|FILE", help="the log's verifier key, not from DIR")
        command.add_argument("--json", action="store_true")
        if name == "tree":
            command.add_argument("--public", action="store_true", help="a copy without content/: check the tree alone")
    options = parser.parse_args()
    try:
        key_text = open(options.key, encoding="utf-8").read() if os.path.isfile(options.key) else options.key
        key = parse_key(key_text)
        proof = open(options.path, "rb").read() if options.command == "proof" else b""
        need(options.command == "proof" or os.path.isdir(options.path), f"{options.path} is not a directory")
    except (Bad, OSError, ValueError) as error:
        parser.error(str(error))
    return (prove if options.command == "proof" else audit)(options, key, proof)


def prove(options, key, proof):
    try:
        result = {"ok": True, **check_proof(proof, key)}
    except Bad as bad:
        result = {"ok": False, "problem": str(bad)}
    if options.json:
        print(json.dumps(result))
    elif result["ok"]:
        print(f"{result['kind']} entry {result['index']} of {result['origin']}, in its tree of {result['size']} entries:")
        print(result["content"])
    else:
        print(f"NOT PROVEN: {result['problem']}")
    return 0 if result["ok"] else 1


def audit(options, key, _):
    ledger = Ledger(options.path, key)
    ledger.check(options.public)
    name = os.path.basename(os.path.abspath(options.path))
    summary = {"name": name, "size": ledger.size, "root": ledger.root.hex(), "checkpoint": ledger.checkpoint}
    if options.json:
        print(json.dumps({"ok": not ledger.problems, "ledgers": [{**summary, "problems": ledger.problems}]}))
    else:
        for problem in ledger.problems:
            print(f"{problem['file']}: entries {problem['from']} to {problem['to']}: {problem['problem']}")
        verdict = f"{len(ledger.problems)} problems" if ledger.problems else "nothing wrong found"
        print(f"{key[0]}: {ledger.size} entries, root {ledger.root.hex()}: {verdict}")
    return 1 if ledger.problems else 0


if __name__ == "__main__":
    sys.exit(main())
