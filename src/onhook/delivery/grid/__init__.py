"""Event Grid: subscriptions, their validation, and events delivered to them.

Microsoft's pages that the behaviour follows, all documented unless said otherwise:

| Page | Read for |
|---|---|
| Event Grid message delivery and retry (02/2026) | schedule, statuses, dead letters |
| Endpoint validation with Event Grid event schema (09/2024) | validationCode, validationUrl |
| Endpoint validation by using CloudEvents schema (02/2026) | OPTIONS |
| Event filtering for Event Grid subscriptions | event types, subjects |
"""
