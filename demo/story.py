"""The story: one store, one visit, told from what the tablet was sent.

What happened is told after it was seen: on the tablet's own stream and cards, or in the gateway's counts. No times,
ports or random values are in it, so it is the same every time.

I/O: prints lines through `say`.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from demo.cast import CAST
from demo.errors import DemoError
from demo.scene import STRANGERS, Scene
from demo.tablet import Json, Stream
from wire.member import Mode

Say = Callable[[str], None]
_TRIES: Final = 100
_SUGGESTED: Final = 6  # three that are due again and three that are new: the card is whole
_PRESENT: Final = 2  # Jonas and Aylin: the only two of six whom the store may show


def tell(scene: Scene, say: Say) -> None:
    """Plays the story once. Raises: DemoError where something is not as the product promises."""
    _opening(scene, say)
    handle = _help(scene, say)
    _withdrawal(scene, say, handle)
    _quiet(scene, say, handle)
    _hq_away(scene, say)


def _opening(scene: Scene, say: Say) -> None:
    say(f"Six members come in, phones in their pockets, among {STRANGERS} strangers' phones.")
    for shopper in CAST:
        say(f"  {shopper.name:<6} {shopper.choice}")
        if shopper.mode is Mode.OPEN:  # in mode help a phone says nothing until its member asks, in quiet never
            scene.enters(shopper.name)
    scene.wait("nobody arrived", lambda stream: len(stream.visits) == _PRESENT)
    say(f"  tablet   {roster(scene.stream)}")
    say("           They are Jonas and Aylin. Of the others the tablet is told nothing.")


def _help(scene: Scene, say: Say) -> str:
    say('Mara presses "I would like help".')
    understood = _understood(scene)
    scene.calls("Mara")
    scene.wait("the call for help did not arrive", lambda stream: any(one["help"] for one in stream.visits))
    if _understood(scene) > understood:
        say("  heard    by the box: a token that only this store can read")
    visit = scene.stream.visits[0]
    shown = f"{visit['sign_colour']} {visit['sign_digits']}"
    say(f"  tablet   {roster(scene.stream)}")
    if shown == str(scene.sign("Mara")):
        say("           Phone and tablet show the same sign, so that Nina finds her without a name.")
    scene.tablet.attend(visit["handle"], "attending")
    _await_suggestions(scene, visit["handle"])
    _show_card(scene, say, visit["handle"])
    return str(visit["handle"])


def _withdrawal(scene: Scene, say: Say, handle: str) -> None:
    say("Mara takes her shoe size back, in the app.")
    told = len(scene.stream.seen)
    scene.withdraws("Mara", "size.shoe")
    say("  HQ       withdraws size.shoe")
    scene.wait("the open card was not told to shrink", lambda stream: _told_of(stream, told, handle))
    _show_card(scene, say, handle)


def _quiet(scene: Scene, say: Say, handle: str) -> None:
    say('Mara sets her phone to "quiet".')
    scene.switches("Mara", Mode.QUIET)
    say("  HQ       takes her out of the store's audience")
    scene.wait("the visit stayed", lambda stream: all(one["handle"] != handle for one in stream.visits))
    say(f"  tablet   {roster(scene.stream)}")
    say(f"  card     {_gone(scene, handle)}")


def _hq_away(scene: Scene, say: Say) -> None:
    say("HQ goes down, and Jonas asks Nina to take him off.")
    scene.store.children.stop("hq")
    handle = next(
        (one["handle"] for one in scene.stream.visits if _speaks(scene.tablet.card(one["handle"]).body)), None
    )
    if handle is None:
        raise DemoError("no card tells which visit is Jonas's", "report it to the maintainers")
    scene.tablet.withdraw(handle, None)
    scene.wait("the visit stayed", lambda stream: all(one["handle"] != handle for one in stream.visits))
    say(f"  tablet   {roster(scene.stream)}")
    scene.wait("the store did not go dark", lambda stream: stream.lease["light"] == "dark", 60)
    say("Nobody hears from HQ. When the lease ends, the store goes dark by itself.")
    say(f"  tablet   {roster(scene.stream)}, reason {scene.stream.lease['reason']}")
    say("HQ is back.")
    scene.store.start_hq()
    scene.wait("the store did not come back", lambda stream: len(stream.visits) == _PRESENT - 1, 60)
    say(f"  tablet   {roster(scene.stream)}: Aylin. Jonas stays off.")


def roster(stream: Stream) -> str:
    """What the tablet's floor shows, in a few words."""
    if stream.lease["light"] != "live":
        return str(stream.lease["light"])
    waiting = [f"help waits in {one['zone_label']}" for one in stream.visits if one["help"]]
    there = sum(not one["help"] for one in stream.visits)
    return ", ".join([*waiting, *([f"{there} present"] if there else [])]) or "nobody"


def _understood(scene: Scene) -> int:
    """How many sightings the gateway could make sense of."""
    name = "sightings_resolved_total"
    return next(one.value for one in scene.store.status().counters if one.name == name)


def _show_card(scene: Scene, say: Say, handle: str) -> None:
    answer = scene.tablet.card(handle)
    if answer.status != 200:
        raise DemoError(f"the card was answered with {answer.status}", "report it to the maintainers")
    lead = [f"{line['label']} {_value(line)}" for line in answer.body["lead"]]
    say(f"  card     {' · '.join([answer.body['name'] or 'a shopper', *lead])}")
    say(f"           on request: {', '.join(answer.body['sections'])}")
    if "suggestions" in answer.body["sections"]:
        _show_suggestions(scene, say, handle)


def _await_suggestions(scene: Scene, handle: str) -> None:
    """The catalog and the tables may still be on their way to the store."""
    for _ in range(_TRIES):
        lines = scene.tablet.card(handle, "suggestions").body["lines"]
        entries = [entry for line in lines for entry in line["entries"]]
        concluded = any(entry["concluded"] for entry in entries)
        if concluded and sum(entry["suggested"] is not None for entry in entries) >= _SUGGESTED:
            return
        scene.store.children.pause(0.2)
    raise DemoError("nothing is suggested", "run it again on a less busy machine, or report it to the maintainers")


def _show_suggestions(scene: Scene, say: Say, handle: str) -> None:
    """How many stand in which place, and not which: that depends on the day; and what was concluded, from what."""
    lines = scene.tablet.card(handle, "suggestions").body["lines"]
    entries = [entry for line in lines for entry in line["entries"]]
    told = [entry["suggested"] for entry in entries if entry["suggested"]]
    places = Counter(_words(one["place"]) for one in told)
    if all(one["reasons"] for one in told):
        say(f"           suggested, and why: {', '.join(f'{many} {place}' for place, many in places.items())}")
    concluded = [entry["concluded"] for entry in entries if entry["concluded"]]
    said = [f"{_words(one['stage'] or one['cohort'])} ({_words(one['evidence'])})" for one in concluded]
    say(f"           concluded, and from what: {', '.join(said)}")


def _words(name: str) -> str:
    return name.replace("-", " ")


def _value(line: Json) -> str:
    return line["text"] or ", ".join(entry["text"] for entry in line["entries"])


def _speaks(card: Json) -> bool:
    return any(line["scope"] == "language" for line in card.get("lead", ()))


def _told_of(stream: Stream, told: int, handle: str) -> bool:
    return any(name == "card" and body["handle"] == handle for name, body in stream.seen[told:])


def _gone(scene: Scene, handle: str) -> str:
    status = scene.tablet.card(handle).status
    never = scene.tablet.card("A" * 22).status
    if status != never:
        raise DemoError("a visit that is over answers otherwise than one that never was", "report it")
    return f"{status}, as for a visit that never was"
