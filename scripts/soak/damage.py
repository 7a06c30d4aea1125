"""Checkpoints and ledgers that are damaged: refused with a sentence, or fallen back from to the same bits."""

import os
import shutil

from kind import Kind
from processes import Wrong

STEPS = 100
CHUNK = 4096


def damaged(damage, survivors=True, ledger=False):
    """A finished run is damaged and resumed.

    - damage: does it, given the run's directory and a source of random numbers; says what it did.
    - survivors: whether an older checkpoint is whole, so that a refusal would be wrong.
    - ledger: whether it is the ledger that is damaged, whose lines may be lost for good.
    """

    def trial(shop, draw):
        whole = original(shop)
        with shop.place() as place:
            shutil.copytree(whole, place.run, symlinks=True)
            what = damage(place.run, draw)
            outcome = place.resume(workers=0).finish()
            if outcome.code in (1, 2) and not survivors:
                if outcome.output or outcome.errors.strip().count("\n") > 8:
                    raise Wrong(f"{what}: refused with more than a sentence: {outcome.errors[-600:]}")
                return 1
            if outcome.code != 0:
                raise Wrong(f"{what}: exit code {outcome.code}: {outcome.errors[-600:]}")
            place.expect(outcome, shop.undisturbed(STEPS), ledger_lost=ledger)
            return 1

    return trial


def original(shop):
    """A finished run with two checkpoints."""
    path = shop.undisturbed(STEPS).run
    names = sorted(os.listdir(os.path.join(path, "checkpoints")))
    if len(names) < 2:
        raise Wrong(f"two checkpoints were to be there, not {names}")
    return path


def checkpoints(run):
    """The directories of checkpoints, newest first."""
    directory = os.path.join(run, "checkpoints")
    return sorted((os.path.join(directory, name) for name in os.listdir(directory)), reverse=True)


def one_file(run, draw):
    newest = checkpoints(run)[0]
    return os.path.join(newest, draw.choice(sorted(os.listdir(newest))))


def truncate(run, draw):
    path = one_file(run, draw)
    size = os.path.getsize(path)
    end = draw.choice([draw.randrange(size), draw.randrange(size // CHUNK + 1) * CHUNK])
    os.truncate(path, end)
    return f"{path} truncated at {end} of {size}"


def truncations(shop):
    """The files of the newest checkpoint, and each 4 KiB of them."""
    newest = checkpoints(original(shop))[0]
    return [(name, end) for name in sorted(os.listdir(newest))
            for end in range(0, os.path.getsize(os.path.join(newest, name)), CHUNK)]


def truncate_everywhere(shop, draw):
    name, end = truncations(shop)[draw.index]

    def cut(run, _):
        os.truncate(os.path.join(checkpoints(run)[0], name), end)
        return f"{name} truncated at {end}"

    return damaged(cut)(shop, draw)


def flip(path, draw):
    size = os.path.getsize(path)
    place, bit = draw.randrange(size), draw.randrange(8)
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))
    return f"{path}: bit {bit} of byte {place} of {size} flipped"


def flip_bit(run, draw):
    return flip(one_file(run, draw), draw)


def flip_ledger(run, draw):
    """Cuts the run back to the checkpoint before, or to its beginning when no checkpoint's line is left."""
    return flip(os.path.join(run, "ledger.jsonl"), draw)


def flip_in_all(run, draw):
    for checkpoint in checkpoints(run):
        flip(os.path.join(checkpoint, "parameters.safetensors"), draw)
    return "a bit flipped in every checkpoint"


def swap_manifests(run, draw):
    one, other = (os.path.join(path, "manifest.json") for path in checkpoints(run)[:2])
    os.rename(one, f"{one}.swapped")
    os.rename(other, one)
    os.rename(f"{one}.swapped", other)
    return "manifests of two steps swapped"


def lose_file(run, draw):
    path = one_file(run, draw)
    os.remove(path)
    return f"{path} removed"


def link_file(run, draw):
    path = one_file(run, draw)
    elsewhere = os.path.join(os.path.dirname(run), "elsewhere")
    os.rename(path, elsewhere)
    os.symlink(elsewhere, path)
    return f"{path} is a link"


def link_directory(run, draw):
    path = checkpoints(run)[0]
    elsewhere = os.path.join(os.path.dirname(run), "elsewhere")
    os.rename(path, elsewhere)
    os.symlink(elsewhere, path)
    return f"{path} is a link"


def foreign_file(run, draw):
    path = os.path.join(checkpoints(run)[0], "more.safetensors")
    with open(path, "wb") as file:
        file.write(draw.randbytes(100))
    return f"{path} is there too"


def kinds():
    yield Kind("damage truncate every 4 KiB", lambda shop: len(truncations(shop)), 1, truncate_everywhere)
    yield Kind("damage truncate", 200, 4, damaged(truncate))
    yield Kind("damage bit", 1000, 6, damaged(flip_bit))
    yield Kind("damage bit of ledger", 100, 2, damaged(flip_ledger, ledger=True))
    yield Kind("damage all checkpoints", 10, 1, damaged(flip_in_all, survivors=False))
    yield Kind("damage manifests swapped", 1, 1, damaged(swap_manifests, survivors=False))
    yield Kind("damage file missing", 20, 2, damaged(lose_file))
    yield Kind("damage file a link", 20, 2, damaged(link_file))
    yield Kind("damage directory a link", 2, 1, damaged(link_directory))
    yield Kind("damage file too many", 2, 1, damaged(foreign_file))
