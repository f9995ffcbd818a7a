"""The acts on a visit as pages: introduced, what became of a suggestion, a theme muted, an item proposed.

Each answers with the card as it is afterwards. Handing over is the floor's own form of attendance.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

from flask import Response

from runtime.web_languages import gettext, mark
from tablet_api import act_texts, asking, concluded_texts, floor, forms, pages, suggested_texts, visit_schemas, visits
from wire import acts
from wire.items import Response as Answer

_NOT_FOR_ME = mark("Done. It will not be suggested again.")
_NOTED = mark("Noted.")
_NOT_NOW = mark("Noted. It will not be suggested for a while.")
_NOTHING_OF_IT = mark("Done. Nothing of this kind will be suggested again.")
_PROPOSED = mark("Proposed. It is added once they confirm it in their app.")
_INTRODUCED = mark("Noted. They can see in their app that it was said.")
_NOT_SUGGESTED = mark("This is not suggested any more. Nothing was noted.")
_NOT_PROPOSED = mark("This cannot be proposed any more. Nothing was changed.")
_SAID = {Answer.NOT_FOR_ME: _NOT_FOR_ME, Answer.DECLINED: _NOT_NOW}


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("acts")
    part.app_template_global("reason_said")(act_texts.reason)
    part.app_template_global("places")(suggested_texts.places)
    part.app_template_global("because")(suggested_texts.because)
    part.app_template_global("concluded")(concluded_texts.concluded)
    part.app_template_global("from_what")(concluded_texts.from_what)
    part.app_template_global("answered")(suggested_texts.answered)
    part.app_template_global("themes_called")(suggested_texts.themes)

    @part.post("/visits/<handle>/introduction")
    def introduction(handle: str) -> Response:
        """The shopper said who they are."""
        reply = asking.ask(acts.Introduce(asking.session(), forms.handle_of(handle)))
        return floor.after(handle, reply, gettext(_INTRODUCED))

    @part.post("/visits/<handle>/outcomes")
    def outcomes(handle: str) -> Response:
        """What the shopper made of a suggestion."""
        asked = pages.form(visit_schemas.OutcomeAsked)
        question = acts.Respond(asking.session(), forms.handle_of(handle), asked["item"], asked["response"])
        said = gettext(_SAID.get(asked["response"], _NOTED))
        return floor.after(handle, asking.ask(question), said, gettext(_NOT_SUGGESTED))

    @part.post("/visits/<handle>/mutes")
    def mutes(handle: str) -> Response:
        """Nothing of a theme any more, for good."""
        asked = pages.form(visit_schemas.MuteAsked)
        question = acts.MuteFor(asking.session(), forms.handle_of(handle), asked["what"], asked["id"])
        return floor.after(handle, asking.ask(question), gettext(_NOTHING_OF_IT), gettext(_NOT_SUGGESTED))

    @part.get("/visits/<handle>/items")
    def found(handle: str) -> Response:
        """What the catalog has of the words that were typed; nothing of none."""
        asked = pages.asked(visit_schemas.CatalogWanted)
        words = asked["q"].strip()
        items = visits.found(asking.session(), words) if words else acts.CatalogFound(())
        address = f"/visits/{handle}/items{floor.opened()}"
        shown = pages.shown(visit_schemas.CatalogShown, items)
        return pages.show("card/found.html", address=address, typed=words, **shown)

    @part.post("/visits/<handle>/items")
    def items(handle: str) -> Response:
        """An item for a list of the member's own, for them to confirm."""
        asked = pages.form(visit_schemas.ItemSent)
        where = forms.handle_of(handle)
        question = acts.Propose(asking.session(), where, asked["to"], asked["item"], asked["quantity"])
        return floor.after(handle, asking.ask(question), gettext(_PROPOSED), gettext(_NOT_PROPOSED))

    return part
