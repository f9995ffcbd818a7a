"""What a gateway's configuration says of the bells, lights and headsets of its store.

Their secrets are the operator's and in no bundle: credentials that may be missing (docs/operating.md).

Pure: no I/O, no clock.
"""

from provisioning import toml
from provisioning.settings import StoreSettings
from runtime import addresses

_PORT = 8883


def gateway_tables(chosen: StoreSettings) -> dict[str, toml.Table]:
    """The table `on_help` and those in it; none where nothing rings."""
    if not chosen.on_help_webhook and not chosen.on_help_broker:
        return {}
    ca = str(chosen.on_help_ca) if chosen.on_help_ca is not None else None
    tables: dict[str, toml.Table] = {"on_help": {"role": chosen.on_help_role}}
    if chosen.on_help_webhook:
        tables["on_help.webhook"] = {
            "url": chosen.on_help_webhook,
            "ca": ca if chosen.on_help_webhook.startswith("https:") else None,
        }
    if chosen.on_help_broker:
        at = addresses.all_of("", _PORT, (chosen.on_help_broker,))[-1]
        tables["on_help.mqtt"] = {
            "host": at.host,
            "port": at.port,
            "ca": ca,
            "login": chosen.on_help_login,
            "topic": chosen.on_help_topic,
        }
    return tables
