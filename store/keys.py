"""Every key in the store: type, fields, who writes it, and what bounds it.

Each key starts with `gw:`. Bounds are per stream, assignment, worker or in all; S streams, A assignments, W workers.

| key | type | holds | written by | bound, expiry |
|---|---|---|---|---|
| `gw:schema` | string | version of this table | connect | one |
| `gw:stream` | hash | stream id -> spec as JSON | streams | S, at most 16 KiB each |
| `gw:stream:revision` | hash | stream id -> revision | streams | S |
| `gw:stream:ids` | zset | stream ids, score 0, in order of creation | streams | S |
| `gw:stream:external` | hash | external id -> stream id | streams | S |
| `gw:stream:assigned` | hash | stream id -> its assignments' ids, spaces between | assignments | S |
| `gw:label:<name>=<value>` | set | stream ids with that label | streams | 16 labels a stream; goes with its last member |
| `gw:groups` | string | the detector groups as JSON | configuration | one |
| `gw:groups:revision` | string | grows with each change of them | configuration | one |
| `gw:profile:<name>` | hash | `latest`, and version -> profile as JSON | configuration | last 50 versions |
| `gw:profiles` | set | profiles' names | configuration | 500 |
| `gw:assignment` | hash | assignment id -> revision | assignments | A |
| `gw:due:<group>` | zset | assignment id -> ms from which it may be claimed (a lease's expiry) | assignments, leases | A |
| `gw:lease` | hash | assignment id -> `epoch:worker`; no worker: free | leases | A |
| `gw:lease:history:<assignment>` | list | `ms word worker epoch`, newest first | leases | 10 each; goes with its assignment |
| `gw:beat` | string | ms of the last renewal by anyone | leases | one |
| `gw:grace` | string | set after nobody could renew: holders come first | leases | one; one TTL |
| `gw:checkpoint` | hash | assignment id -> JSON | leases | A, at most 8 KiB each |
| `gw:status` | hash | assignment id -> JSON | leases | A, at most 4 KiB each |
| `gw:accepted` | hash | assignment id -> `epoch:sequence` of the last finding accepted | findings | A |
| `gw:findings` | stream | accepted edges and changes of sight | findings, leases, assignments | trimmed behind its consumers; full at 200,000: edges are refused until consumed, never dropped |
| `gw:defects:<stream>` | hash | `rendition|track|defect|channel` -> JSON of an open defect | findings, leases, assignments | 256 a stream |
| `gw:defects` | set | streams that have open defects | findings, assignments | S |
| `gw:closed:<stream>` | list | JSON of closed defects, newest first | findings, assignments | 100 a stream; 7 days |
| `gw:series:<step>:<assignment>` | stream | one entry a slot: series -> low, high, mean, count (4 float32) | findings | 120 of 60 s, 144 of 600 s; 25 h |
| `gw:coverage:<stream>` | hash | `detector:w`, `:d`, `:b` -> ms watched, degraded, blind | findings | 256 detectors; goes with its stream |
| `gw:worker` | hash | worker -> JSON of itself | leases | W |
| `gw:workers` | zset | worker -> ms last heard of | leases | W; forgotten after 10 minutes |
| `gw:idempotency:<sha256>` | hash | fingerprint of the request, and its answer | requests | 64 KiB each; 24 h, 60 s while in progress |
| `gw:apikey` | hash | sha256 of the key -> JSON (id, name, created_at) | apikeys | 1,000 |
| `rq:*` | | finite work | RQ itself | RQ's own expiry |
"""

SCHEMA = 1
SCHEMA_KEY = "gw:schema"

STREAM = "gw:stream"
STREAM_REVISION = "gw:stream:revision"
STREAM_IDS = "gw:stream:ids"
STREAM_EXTERNAL = "gw:stream:external"
STREAM_ASSIGNED = "gw:stream:assigned"
LABEL = "gw:label:"

GROUPS = "gw:groups"
GROUPS_REVISION = "gw:groups:revision"
PROFILE = "gw:profile:"
PROFILES = "gw:profiles"

ASSIGNMENT = "gw:assignment"
DUE = "gw:due:"
LEASE = "gw:lease"
HISTORY = "gw:lease:history:"
BEAT = "gw:beat"
GRACE = "gw:grace"
CHECKPOINT = "gw:checkpoint"
STATUS = "gw:status"

ACCEPTED = "gw:accepted"
FINDINGS = "gw:findings"
OPEN = "gw:defects:"
OPEN_STREAMS = "gw:defects"
CLOSED = "gw:closed:"
SERIES = "gw:series:"
COVERAGE = "gw:coverage:"

WORKER = "gw:worker"
WORKERS = "gw:workers"

IDEMPOTENCY = "gw:idempotency:"
APIKEY = "gw:apikey"
