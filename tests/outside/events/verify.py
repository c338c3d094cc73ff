"""Checks deliveries with the public library of Standard Webhooks.

Standard input: the secret, then one delivery a line as JSON, {"headers": {...}, "body": "..."}.
Standard output: how many were good, and that a forged one was not.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(sys.stdin.readline().strip())
good = 0
for line in sys.stdin:
    delivery = json.loads(line)
    # Raises when the signature, or its time, is wrong.
    webhook.verify(delivery["body"], delivery["headers"])
    good += 1
    try:
        webhook.verify(delivery["body"].replace("a", "b"), delivery["headers"])
        sys.exit("a forged body passed")
    except WebhookVerificationError:
        pass
print(good)
