#!/usr/bin/env python3
"""A lamp over one zone: on while help waits there, blinking when nobody came in time.

    python3 lamp.py BROKER PORT CA-FILE NAME PASSWORD ZONE

Needs paho-mqtt 2. The broker keeps each zone's state, so a lamp that was switched off knows at once.
"""

import sys
from urllib.parse import quote

import paho.mqtt.client as mqtt

LIGHT = {b"none": "off", b"waiting": "on", b"escalated": "blinking"}
host, port, ca, name, password, zone = sys.argv[1:]
topic = f"consentry/help/state/{quote(zone, safe='')}"


def switch(_client: mqtt.Client, _kept: object, message: mqtt.MQTTMessage) -> None:
    """Here a relay would be switched."""
    sys.stdout.write(LIGHT.get(message.payload, "off") + "\n")
    sys.stdout.flush()


lamp = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
lamp.username_pw_set(name, password)
if ca:
    lamp.tls_set(ca)
lamp.on_connect = lambda *_: lamp.subscribe(topic, qos=1)
lamp.on_message = switch
lamp.connect(host, int(port))
lamp.loop_forever()
