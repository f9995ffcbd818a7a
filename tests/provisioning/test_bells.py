"""What provisioning writes of bells, as the gateway reads it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioning import apply
from provisioning.settings import Estate, HqSettings, StoreSettings
from runtime.config import load
from store_gateway.hook_settings import HelpBroker, Webhook
from store_gateway.settings import Settings

CA = Path("/etc/consentry/certs/house-ca.pem")
RINGS = StoreSettings(
    on_help_webhook="https://bells.berlin-1.example.com/help", on_help_broker="house.local:8884", on_help_ca=CA,
    on_help_login="consentry", on_help_topic="store/help", on_help_role="stylist",
)  # fmt: skip


def gateway(folder: Path, store: StoreSettings) -> Settings:
    """The gateway's configuration after a run."""
    apply.provision(folder, Estate(HqSettings("mqtt.example.com"), {"berlin-1": store}), datetime.now(UTC))
    return load(folder / "stores/berlin-1/etc/consentry/gateway.toml", Settings)


def test_a_store_without_bells_says_nothing_of_them(tmp_path: Path) -> None:
    """As before; and so after they were taken away."""
    assert gateway(tmp_path, StoreSettings()).on_help is None
    assert gateway(tmp_path, RINGS).on_help is not None
    assert gateway(tmp_path, replace(RINGS, on_help_webhook="", on_help_broker="")).on_help is None


def test_both_hooks_are_read_as_they_were_chosen(tmp_path: Path) -> None:
    """And kept in the store's settings for the next run."""
    found = gateway(tmp_path, RINGS).on_help
    assert found is not None
    assert found.role == "stylist"
    assert found.webhook == Webhook("https://bells.berlin-1.example.com/help", CA)
    assert found.mqtt == HelpBroker("house.local", CA, None, "consentry", "store/help", 8884)
    assert apply.read(tmp_path).stores["berlin-1"] == RINGS


def test_a_plain_webhook_alone_has_no_authority(tmp_path: Path) -> None:
    """The gateway would have no use for one."""
    found = gateway(tmp_path, StoreSettings(on_help_webhook="http://10.0.0.7/bell", on_help_ca=CA)).on_help
    assert found is not None and found.mqtt is None
    assert found.webhook == Webhook("http://10.0.0.7/bell", None)


@pytest.mark.parametrize(
    "wrong", [{"on_help_webhook": "bells.local"}, {"on_help_broker": "house.local"},
              {"on_help_broker": "a b", "on_help_ca": CA}]
)  # fmt: skip
def test_what_could_never_ring_is_refused(wrong: dict[str, object]) -> None:
    """An address that is none, a broker without its authority."""
    with pytest.raises(ValueError, match=r"http|on-help-ca|HOST"):
        StoreSettings(**wrong)  # type: ignore[arg-type]
