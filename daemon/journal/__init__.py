"""The journal: what happened, durable before anything is sent, and never told twice."""
