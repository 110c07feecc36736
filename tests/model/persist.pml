/* SPDX-License-Identifier: Apache-2.0
 *
 * Mirroring persistence records (dataplane/mirror/persist_sync.h): records named by their key, without
 * versions. A frame is applied only when its number is higher than that of all applied before, and only
 * then acknowledged. What an overtaken or lost frame said is told again, as it is by then. A removed
 * record leaves a mark at the writer until the peer knows; the peer remembers nothing of it.
 *
 * The network is the set of the session's frames, as in slotreg.pml. A frame speaks of one key or of
 * both. With BUSY, the peer may have to stop in a frame behind its first record: then the frame is not
 * acknowledged and its number does not count. `version` is for the proof only: the protocol has none.
 *
 * P1 In sync, and once the sweep that this begins is through, both have the same records.
 * P2 Without BUSY: within a session no record of the peer goes back, so none comes again after its end
 *    was told. (With it, it may until the frame's word comes again; P1 holds all the same.)
 *
 * Mistakes that must be found: BUG_ORDER (overtaken frames are applied), BUG_OVERTAKENACKED (they are
 * not, but acknowledged), BUG_LOST (what a lost frame said is not told again), BUG_MARK (the mark of a
 * removed record goes when it is told, not when that is acknowledged), BUG_RENDEREDTWICE (a record is
 * told again while a frame that speaks of it is in flight), BUG_NOSWEEP, BUG_ACKNOSESS.
 *
 * Scopes: run.py.
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
#ifndef BUSY
#define BUSY 0
#endif
#define KEYS 2

/* The writer. `mark`: it has the record, or the mark of one that is gone. */
byte version[KEYS], ops = 0, next = 0, in_flight = 0;
bool live[KEYS], mark[KEYS], dirty[KEYS], telling[KEYS], fresh[KEYS];
bool announced = false;                  /* it has been in sync in this session */
/* Its frames. */
bool f_has[LIM * KEYS], f_live[LIM * KEYS], f_in_sync[LIM];
byte f_version[LIM * KEYS];
bool out[LIM], acked[LIM], acked_before[LIM];
/* The peer. */
byte applied = 0, copy_version[KEYS], sessions = 0; /* of frames: number + 1 */
bool copy[KEYS], confirmed[KEYS], is_sweeping = false, was_in_sync = false, is_new_session = false;

hidden byte k;

#define NOTHING_DUE (!dirty[0] && !dirty[1] && !telling[0] && !telling[1] && in_flight == 0)
#define IN_SYNC (NOTHING_DUE && !is_new_session && was_in_sync && !is_sweeping)
#define AT(q, k) ((q) * KEYS + (k))

inline take(q, k) { /* one record of a frame, by the peer */
  if
  :: f_has[AT(q, k)] ->
#if BUSY == 0
     assert(f_version[AT(q, k)] >= copy_version[k]); /* P2 */
#endif
     copy[k] = f_live[AT(q, k)];
     copy_version[k] = f_version[AT(q, k)];
     confirmed[k] = f_live[AT(q, k)]
  :: else
  fi
}

inline apply(q) {
  if
#ifndef BUG_ORDER
  :: q < applied ->
#ifdef BUG_OVERTAKENACKED
     acked[q] = true
#else
     skip
#endif
#endif
#if BUSY
  :: q >= applied && f_has[AT(q, 0)] && f_has[AT(q, 1)] -> take(q, 0)
#endif
#ifdef BUG_ORDER
  :: true ->
#else
  :: q >= applied ->
#endif
     take(q, 0); take(q, 1);
     applied = q + 1; acked[q] = true;
     if
     :: f_in_sync[q] && !was_in_sync -> was_in_sync = true; is_sweeping = true
     :: else
     fi
  fi
}

inline settle(q, k) { /* acknowledged */
  if
  :: f_has[AT(q, k)] ->
     if :: telling[k] && !dirty[k] && !live[k] -> mark[k] = false :: else fi;
     telling[k] = false
  :: else
  fi
}

inline lose(q, k) {
  if
  :: f_has[AT(q, k)] ->
#ifndef BUG_LOST
     if :: telling[k] && mark[k] -> dirty[k] = true :: else fi;
#endif
     telling[k] = false
  :: else
  fi
}

/* A frame's fate; _pid is its number. Nothing else is older than these processes. */
active [LIM] proctype frame() {
  do
  :: atomic { _pid < next && !is_new_session && !acked[_pid] -> apply(_pid) }
  :: atomic { out[_pid] && acked[_pid] ->
       out[_pid] = false; in_flight--; settle(_pid, 0); settle(_pid, 1) }
#ifdef BUG_ACKNOSESS
  :: atomic { out[_pid] && acked_before[_pid] ->
       out[_pid] = false; in_flight--; settle(_pid, 0); settle(_pid, 1) }
#endif
  :: atomic { out[_pid] ->
       out[_pid] = false; in_flight--; lose(_pid, 0); lose(_pid, 1);
       if :: f_in_sync[_pid] && !acked[_pid] -> announced = false :: else fi }
  od
}

inline put(k) { ops++; version[k]++; live[k] = true; mark[k] = true; dirty[k] = true }
inline remove(k) { ops++; version[k]++; live[k] = false; dirty[k] = true }

inline tell(k) {
  if
  :: fresh[k] && !live[k] -> mark[k] = false /* the peer never heard of it in this session */
  :: else ->
     f_has[AT(next, k)] = true; f_live[AT(next, k)] = live[k]; f_version[AT(next, k)] = version[k];
     telling[k] = true;
#ifdef BUG_MARK
     mark[k] = live[k]
#endif
  fi;
  fresh[k] = false; dirty[k] = false
}

#ifdef BUG_RENDEREDTWICE
#define IS_DUE(k) (dirty[k])
#else
#define IS_DUE(k) (dirty[k] && !telling[k])
#endif

inline finish() { /* a frame that says nothing is not sent */
  if
  :: f_has[AT(next, 0)] || f_has[AT(next, 1)] ->
     f_in_sync[next] = announced; out[next] = true; in_flight++; next++
  :: else
  fi
}

inline open_session() {
  is_new_session = false; announced = false; next = 0; in_flight = 0;
  k = 0;
  do
  :: k < LIM ->
     acked_before[k] = acked_before[k] || acked[k]; acked[k] = false; out[k] = false;
     f_in_sync[k] = false; k++
  :: else -> break
  od;
  k = 0;
  do
  :: k < LIM * KEYS -> f_has[k] = false; f_live[k] = false; f_version[k] = 0; k++
  :: else -> break
  od;
  k = 0;
  do
  :: k < KEYS -> telling[k] = false; fresh[k] = true; dirty[k] = mark[k]; k++
  :: else -> break
  od
}

active proctype writer() {
  atomic { fresh[0] = true; fresh[1] = true };
  do
  :: atomic { ops < OPS -> put(0) }
  :: atomic { ops < OPS -> put(1) }
  :: atomic { ops < OPS && live[0] -> remove(0) }
  :: atomic { ops < OPS && live[1] -> remove(1) }
  :: atomic { next < LIM && IS_DUE(0) -> tell(0); finish() }
  :: atomic { next < LIM && IS_DUE(1) -> tell(1); finish() }
  :: atomic { next < LIM && IS_DUE(0) && IS_DUE(1) -> tell(0); tell(1); finish() }
  :: atomic { next < LIM && NOTHING_DUE && !announced -> /* in sync for the first time */
       announced = true; f_in_sync[next] = true; out[next] = true; in_flight++; next++ }
  :: atomic { is_new_session -> open_session() }
  od
}

active proctype peer() {
  do
  :: atomic { sessions < SESSIONS && !is_new_session ->
       sessions++; is_new_session = true; applied = 0; was_in_sync = false; is_sweeping = false;
       copy_version[0] = 0; copy_version[1] = 0; confirmed[0] = false; confirmed[1] = false;
       if
       :: true                                 /* it was given other terms */
       :: copy[0] = false; copy[1] = false     /* it was restarted */
       fi }
  :: atomic { is_sweeping -> is_sweeping = false;
#ifndef BUG_NOSWEEP
       copy[0] = copy[0] && confirmed[0]; copy[1] = copy[1] && confirmed[1]
#endif
     }
  od
}

active proctype monitor() {
  do
  :: atomic { IN_SYNC && (copy[0] != live[0] || copy[1] != live[1]) -> assert(false) }
  :: atomic { IN_SYNC && live[0] && copy_version[0] != version[0] -> assert(false) }
  :: atomic { IN_SYNC && live[1] && copy_version[1] != version[1] -> assert(false) }
  od
}
