"""What galleries hold and find, as text for people."""

from __future__ import annotations

from typing import Any

from facekit.cli.text.layout import counted, percent, table

_LISTED = 4  # of a list among facts


def found(answers: list[Any]) -> str:
    """What ``find`` gives: a table a face of each query."""
    single = all(isinstance(answer, list) for answer in answers) and not any(
        answer and isinstance(answer[0], list) for answer in answers
    )
    parts = []
    for answer in [answers] if single else answers:
        if isinstance(answer, dict):
            parts.append(answer["error"])
            continue
        for number, rows in enumerate(answer, 1):
            head = f"Face {number}: " if len(answer) > 1 else ""
            if not rows:
                parts.append(f"{head}nobody was found.")
                continue
            lines = [
                (row["person"], f"{row['distance']:.4f}", _sure(row), row["identity"])
                for row in rows
            ]
            parts.append(head + ("\n" if head else "") + table(lines, _HITS))
    return "\n\n".join(parts)


_HITS = ("person", "distance", "probability", "photo")


def _sure(row: dict[str, Any]) -> str | None:
    return None if row["confidence"] is None else percent(row["confidence"])


def identified(rows: list[dict[str, Any]]) -> str:
    """Who is on each picture, and the closest people."""
    parts = []
    for row in rows:
        if "error" in row:
            parts.append(row["error"])
            continue
        for number, face in enumerate(row["faces"], 1):
            name = face["person"] or "nobody of this gallery"
            head = f"{row['source']}, face {number}: {name} (threshold {face['threshold']:.4f})"
            if "recall" in face:
                share = face["recall"]
                head += "; searched exactly" if share == 1 else f"; index of recall {share:.2%}"
            lines = [
                (one["person"], f"{one['distance']:.4f}", _sure(one), one["photo"])
                for one in face["candidates"]
            ]
            parts.append(f"{head}\n{table(lines, _HITS)}" if lines else head)
    return "\n\n".join(parts)


def indexed(value: dict[str, Any]) -> str:
    """What became of a gallery's index, one line."""
    if "removed" in value:
        return "The index is removed." if value["removed"] else "There was no index."
    if "index_recall" in value:  # a database's
        return facts(value)
    if value["index"] is None:
        return (
            f"No index: on {counted(value['faces'], 'face')} none that finds enough is at least "
            "twice as fast as the exact search."
        )
    faces = counted(value["faces"], "face")
    return (
        f"{value['index']} finds {value['recall']:.2%} of the 10 nearest among {faces}, "
        f"{value['gain']:.1f} times as fast as the exact search."
    )


def enrolled(rows: list[dict[str, Any]]) -> str:
    """What became of each photo, one line, and a last one for all of them."""
    lines = [row["error"] if "error" in row else _enrolled(row) for row in rows]
    if len(rows) > 1:
        lines.append(_in_all(rows))
    return "\n".join(lines)


def _enrolled(row: dict[str, Any]) -> str:
    parts = []
    if row["faces"] or not row["refused"]:
        parts.append(f"{counted(len(row['faces']), 'face')} stored")
        if row["left_out"]:
            parts[0] += f", {row['left_out']} of others left out"
    parts += [f"poor: {', '.join(one['reasons'])}" for one in row["quality"] if one["reasons"]]
    parts += [f"not stored: {', '.join(one['reasons'])}" for one in row["refused"]]
    parts += [f"resembles {_near(one['person'], one)}" for one in row["also"]]
    parts += [f"already there as {_near(one['photo'], one)}" for one in row["already"]]
    if row["unlike"] is not None:
        parts.append(f"unlike {row['person']}'s other photos (distance {row['unlike']:.4f})")
    return f"{row['source']}: {'; '.join(parts)}."


def _near(name: str | None, one: dict[str, Any]) -> str:
    return f"{name or 'another face'} (distance {one['distance']:.4f})"


def _in_all(rows: list[dict[str, Any]]) -> str:
    """Counts of photos, and of what somebody should look at."""
    fine = [row for row in rows if "error" not in row]
    counts = {
        "failed": len(rows) - len(fine),
        "refused": sum(bool(row["refused"]) for row in fine),
        "poor": sum(any(one["reasons"] for one in row["quality"]) for row in fine),
        "like another person": sum(bool(row["also"]) for row in fine),
        "there already": sum(bool(row["already"]) for row in fine),
        "unlike the rest": sum(row["unlike"] is not None for row in fine),
    }
    stored = counted(sum(len(row["faces"]) for row in fine), "face")
    text = f"{counted(len(rows), 'photo')}: {stored} stored"
    return f"{text}{''.join(f', {count} {name}' for name, count in counts.items() if count)}."


def people(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit gallery list``."""
    lines = [(row["name"], row["faces"], row["photos"], _when(row["last"])) for row in rows]
    return table(lines, ("name", "faces", "photos", "last photo")) if lines else "Nobody."


def faces(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit gallery show``."""
    lines = [
        (
            row["face"],
            row["photo"],
            _when(row["date"]),
            ", ".join(row["tags"]),
            None if row["eyes"] is None else f"{row['eyes']:.0f}",
            None if row["score"] is None else f"{row['score']:.3f}",
        )
        for row in rows
    ]
    return table(lines, ("face", "photo", "date", "tags", "eyes", "score"))


def _when(date: str | None) -> str | None:
    return None if date is None else date.replace("T", " ")


def facts(value: dict[str, Any]) -> str:
    """One line a value; of a long list the first few."""
    return "\n".join(f"{name.replace('_', ' ')}: {_fact(v)}" for name, v in value.items())


def _fact(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return str(value)
    shown = ", ".join(map(str, value[:_LISTED]))
    more = len(value) - _LISTED
    return f"{shown} and {more:,} more" if more > 0 else shown


def embedded(summary: dict[str, Any]) -> str:
    """What a run over a collection left, and what is amiss."""
    lines = [
        f"{counted(summary['faces'], 'face')} of {counted(summary['photos'], 'photo')} in "
        f"{counted(summary['shards'], 'file')} of {summary['out']}"
    ]
    for key, what in (("without_face", "without a face"), ("broken", "that cannot be read")):
        if summary[key]:
            lines.append(f"{counted(summary[key], 'photo')} {what}: column reason says why")
    if summary["embedded"]:
        lines.append(
            f"this run: {counted(summary['embedded'], 'photo')} in {summary['seconds']:,} s, "
            f"{summary['photos_per_second']:,} a second"
        )
    else:
        lines.append("this run: nothing was left to do")
    lines += [f"not made: {reason}" for reason in summary["failed"]]
    if summary["failed"]:
        lines.append("the same command tries again")
    return "\n".join(lines)
