/* SPDX-License-Identifier: Apache-2.0
 *
 * The core of mirroring flows (dataplane/mirror/README.md): a writer and its shadow, two slots, and one
 * key, which a flow in either slot may have, but only one flow at a time.
 *
 * A slot is a register: birth << VB | version, one number, compared as such. A frame speaks of one slot.
 * No frame is sent twice: the slot of a lost one is dirty again, and is rendered anew, in full. The
 * first pass of a session (bulk) goes over the slots beside live changes. Of two flows with the key the
 * shadow keeps the one with the higher birth. A slot of an earlier session counts as never used; its
 * flow is swept out, or gives way to a flow of this session that needs its slot or its key. PAGES: while the
 * shadow has nothing of the two slots' page it may have no room for one either; a close is acknowledged all the
 * same, and remembered by its frame's number, below which no frame makes a flow there.
 *
 * The network is the set of the session's frames: each may come at any time, any number of times, or
 * never, and so may its acknowledgement; and any frame may be given up as lost at any time. Bounds: OPS
 * changes, RENEWS repairs of a range that a digest found different, LIM frames a session, SESSIONS new
 * sessions.
 *
 * P1 In sync, both slots are equal, and so is the owner of the key.
 * P2 The shadow never has two flows with the key, and its index names the one it has.
 * P3 Within a session no slot of the shadow goes back; so no flow comes again after its end was told.
 *    (A flow that gave way to one with a higher birth may, until its end is told, if that one ends first.)
 * P4 The shadow has nothing that the writer never had.
 *
 * Mistakes that must be found: BUG_NOVERSION (rows applied as they come), BUG_LOSTREDIRTY (lost slots
 * not told again), BUG_CURSOR (the first pass steps over a slot that its frame had no room for),
 * BUG_ACKNOSESS (acknowledgements of any session count), BUG_LASTWINS, BUG_HOLDERWINS, BUG_BOTHLIVE
 * (instead of the higher birth), BUG_UPDATEACKED (an update without its flow is acknowledged),
 * BUG_NOSWEEP (an earlier session's flows stay), BUG_CLOSEDFORGOTTEN (a close without a page leaves nothing).
 *
 * Scopes: run.py. Larger ones without an error: OPS=3 LIM=4 SESSIONS=1, 9.5 million states; OPS=4 LIM=5,
 * 11.7 million. Not in the model: frames of many slots (each is a set of these), two pages, two groups.
 */
#ifndef OPS
#define OPS 3
#endif
#ifndef LIM
#define LIM 4
#endif
#ifndef SESSIONS
#define SESSIONS 0
#endif
#ifndef RENEWS
#define RENEWS 0
#endif
#ifndef VMAX
#define VMAX 3 /* a flow that has used up its versions gets a new birth */
#endif
#define VB 2
#define BIRTH(r) ((r) >> VB)
#define VERSION(r) ((r) & 3)
#define NONE 2 /* owner of the key: no slot */

mtype = { CREATE, UPDATE, CLOSE };

/* The writer. It begins with a flow in slot 0, which the first pass tells of. */
byte births = 1, reg[2], cursor = 0, ops = 0, renews = 0;
bool live[2], known[2], dirty[2];
/* Its frames, and what became of them. */
byte next = 0, in_flight = 0, f_slot[LIM], f_reg[LIM];
mtype f_kind[LIM];
bool out[LIM], acked[LIM], acked_before[LIM]; /* by this session, by an earlier one */
/* The shadow. */
byte held[2], owner = NONE, sessions = 0;     /* held: 0: never used in this session */
bool shadow[2], is_new_session = false;       /* which the writer does not know yet */
byte closed = 0; /* PAGES: frames below this number make no flow where none was */

hidden byte i, other; /* of the step at hand */

#define IS_OLD(i) (shadow[i] && held[i] == 0)
#ifdef BUG_NOSWEEP
#define IS_SWEPT true
#else
#define IS_SWEPT (!IS_OLD(0) && !IS_OLD(1))
#endif
#define IN_SYNC \
  (!is_new_session && cursor == 2 && !dirty[0] && !dirty[1] && in_flight == 0 && IS_SWEPT)
#define IS_EQUAL(i) (live[i] == shadow[i] && (!live[i] || reg[i] == held[i]))
#ifdef PAGES
#define HAS_NO_PAGE (held[0] == 0 && held[1] == 0 && !shadow[0] && !shadow[1])
#else
#define HAS_NO_PAGE false
#endif
#ifdef BUG_CLOSEDFORGOTTEN
#define IS_OVERTAKEN(q) false
#else
#define IS_OVERTAKEN(q) (q < closed && held[f_slot[q]] == 0)
#endif
#define OWNER(a) (a[0] -> 0 : (a[1] -> 1 : NONE))

inline new_birth(i) { births++; reg[i] = births << VB; known[i] = false }

inline change(i) {
  ops++;
  if :: VERSION(reg[i]) < VMAX -> reg[i]++ :: else -> new_birth(i) fi;
  dirty[i] = true
}

inline send(i, kind) {
  f_slot[next] = i; f_reg[next] = reg[i]; f_kind[next] = kind;
  out[next] = true; in_flight++; next++
}

/* What the slot holds now: an update only if the peer was told of the flow in this session. */
inline render(i) {
  if
  :: !live[i] -> send(i, CLOSE)
  :: live[i] && known[i] && i < cursor -> send(i, UPDATE)
  :: live[i] && !(known[i] && i < cursor) -> known[i] = true; send(i, CREATE)
  fi;
  dirty[i] = false
}

inline erase(i) { shadow[i] = false; if :: owner == i -> owner = NONE :: else fi }

inline insert(i, r) {
  other = 1 - i;
  if
  :: !shadow[other] -> shadow[i] = true
  :: IS_OLD(other) -> erase(other); shadow[i] = true
  :: shadow[other] && !IS_OLD(other) ->
#ifdef BUG_LASTWINS
     erase(other); shadow[i] = true
#elif defined(BUG_HOLDERWINS)
     skip
#elif defined(BUG_BOTHLIVE)
     shadow[i] = true
#else
     if
     :: BIRTH(held[other]) >= BIRTH(r) -> skip /* the row's flow is over; its slot remembers it */
     :: else -> erase(other); shadow[i] = true
     fi
#endif
  fi;
  if :: shadow[i] -> owner = i :: else fi
}

/* A frame reaches the shadow. */
inline apply(q) {
  i = f_slot[q];
  if
#ifndef BUG_NOVERSION
  :: f_reg[q] < held[i] -> acked[q] = true
#endif
  :: f_reg[q] == held[i] -> acked[q] = true
  :: else ->
     assert(f_reg[q] > held[i]); /* P3 */
     if
     :: f_kind[q] == CREATE && !IS_OVERTAKEN(q) ->
        erase(i); insert(i, f_reg[q]); held[i] = f_reg[q]; acked[q] = true
     :: f_kind[q] == CLOSE && HAS_NO_PAGE -> /* whether there is room */
        acked[q] = true;
        if :: q > closed -> closed = q :: else fi
     :: f_kind[q] == CLOSE -> erase(i); held[i] = f_reg[q]; acked[q] = true
     :: f_kind[q] == UPDATE && shadow[i] && held[i] != 0 && BIRTH(held[i]) == BIRTH(f_reg[q]) ->
        held[i] = f_reg[q]; acked[q] = true
     :: else -> /* an update of a flow that is not there, a flow that a close overtook: not acknowledged */
#ifdef BUG_UPDATEACKED
        acked[q] = true
#else
        skip
#endif
     fi
  fi
}

/* A frame's fate; _pid is its number. Nothing else is older than these processes. */
active [LIM] proctype frame() {
  do
  :: atomic { _pid < next && !is_new_session -> apply(_pid) }
  :: atomic { out[_pid] && acked[_pid] -> out[_pid] = false; in_flight-- }
#ifdef BUG_ACKNOSESS
  :: atomic { out[_pid] && acked_before[_pid] -> out[_pid] = false; in_flight-- }
#endif
  :: atomic { out[_pid] -> out[_pid] = false; in_flight--;
#ifndef BUG_LOSTREDIRTY
       known[f_slot[_pid]] = false; dirty[f_slot[_pid]] = true
#endif
     }
  od
}

inline begin(i) { ops++; new_birth(i); live[i] = true; dirty[i] = true }
inline end(i) { change(i); live[i] = false; known[i] = false }

inline renew(i) { new_birth(i); dirty[i] = true }

/* The writer hears of the new session: what is dirty stays so, what is in flight is forgotten. */
inline open_session() {
  is_new_session = false; cursor = 0; next = 0; in_flight = 0;
  i = 0;
  do
  :: i < LIM ->
     acked_before[i] = acked_before[i] || acked[i]; acked[i] = false; out[i] = false;
     f_slot[i] = 0; f_reg[i] = 0; f_kind[i] = 0; i++
  :: else -> break
  od
}

active proctype writer() {
  atomic { reg[0] = births << VB; live[0] = true };
  do
  :: atomic { ops < OPS && live[0] -> change(0) }
  :: atomic { ops < OPS && live[1] -> change(1) }
  :: atomic { ops < OPS && live[0] -> end(0) }
  :: atomic { ops < OPS && live[1] -> end(1) }
  :: atomic { ops < OPS && !live[0] && !live[1] -> begin(0) }
  :: atomic { ops < OPS && !live[0] && !live[1] -> begin(1) }
  :: atomic { renews < RENEWS -> renews++; renew(0); renew(1) }
  :: atomic { next < LIM && dirty[0] -> render(0) }
  :: atomic { next < LIM && dirty[1] -> render(1) }
     /* The first pass. What is dirty is told in its turn, in full. */
  :: atomic { cursor < 2 && (!live[cursor] || dirty[cursor]) -> known[cursor] = false; cursor++ }
  :: atomic { cursor < 2 && live[cursor] && !dirty[cursor] && next < LIM ->
       known[cursor] = true; send(cursor, CREATE); cursor++ }
#ifdef BUG_CURSOR
  :: atomic { cursor < 2 && live[cursor] && !dirty[cursor] -> cursor++ }
#endif
  :: atomic { is_new_session -> open_session() }
  od
}

active proctype standby() {
  do
  :: atomic { sessions < SESSIONS && !is_new_session -> /* the writer's epoch changed */
       sessions++; is_new_session = true; held[0] = 0; held[1] = 0; closed = 0 }
  :: atomic { sessions < SESSIONS && !is_new_session -> /* it was restarted */
       sessions++; is_new_session = true; held[0] = 0; held[1] = 0; closed = 0; erase(0); erase(1) }
#ifndef BUG_NOSWEEP
  :: atomic { IS_OLD(0) -> erase(0) }
  :: atomic { IS_OLD(1) -> erase(1) }
#endif
  od
}

active proctype monitor() {
  do
  :: atomic { IN_SYNC && !(IS_EQUAL(0) && IS_EQUAL(1) && OWNER(live) == owner) -> assert(false) } /* P1 */
  :: atomic { (shadow[0] && shadow[1]) || OWNER(shadow) != owner -> assert(false) }               /* P2 */
  :: atomic { held[0] > reg[0] || held[1] > reg[1] -> assert(false) }                             /* P4 */
  od
}
