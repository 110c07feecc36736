/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is active for one traffic group, of N devices (dataplane/ha/README.md, Epochs). Each turn of
 * being active has an epoch of its own, ballot and device, minted above all that the device knows of;
 * a ballot is used when a reserve at least as high is on disk, and after a crash the reserve counts as
 * used, while everything else is forgotten. Heartbeats tell whether the sender acts, its epoch (else the
 * highest that it knew anybody to act in), and its highest ballot; they are lost and late. Those out of
 * order are dropped by their numbers (dataplane/ha/detector.h).
 * A peer may be taken for dead wrongly. Who acts and hears of a higher epoch stands by when somebody acts
 * in it, and else renews its own.
 *
 * P1 No epoch is used for two turns, nor by two devices.  P2 The epochs of a device go up, through crashes.
 * P3 Nobody acts who was told, in this run, by one that acts in a higher epoch.
 *
 * Mistakes that must be found: BUG_NOID (epochs without the device), BUG_NORESERVE (a ballot is used
 * before the disk has it), BUG_NOPERSIST (the reserve is forgotten in a crash), BUG_NODEMOTE.
 */
#ifndef N
#define N 2
#endif
#ifndef MINTS
#define MINTS 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef BLOCK
#define BLOCK 1
#endif
#ifdef BUG_NOID
#define EPOCH(b,i) ((b)*4+1)
#else
#define EPOCH(b,i) ((b)*4+(i)+1)
#endif
#ifdef BUG_NORESERVE
#define DURABLE(i) true
#else
#define DURABLE(i) (reserve[i]>clock[i])
#endif
byte clock[N], reserve[N], floor[N], mine[N], told[N], last[N]; bool acts[N];
bool used[64]; byte mints=0, crashes=0;
/* the heartbeats under way from a device to another one: acts, epoch, ballot */
chan wire[N*N] = [1] of {bool, byte, byte};
inline mint(i) {
  clock[i]++; mine[i]=EPOCH(clock[i],i); mints++;
  assert(!used[mine[i]]); used[mine[i]]=true;
  assert(mine[i]>last[i]); last[i]=mine[i];
  acts[i]=true; if :: mine[i]>floor[i] -> floor[i]=mine[i] :: else -> skip fi }
proctype node(byte i) { bool a; byte e, b, j; do
  :: atomic{ !acts[i] && mints<MINTS && DURABLE(i) -> mint(i) }          /* takes over */
  :: atomic{ reserve[i]<=clock[i] -> reserve[i]=clock[i]+BLOCK }         /* the disk, some time */
  :: atomic{ crashes<CRASHES -> crashes++; acts[i]=false; floor[i]=0; told[i]=0; mine[i]=0;
#ifdef BUG_NOPERSIST
       clock[i]=0; reserve[i]=0
#else
       clock[i]=reserve[i]
#endif
     }
  :: atomic{ j=0; do :: j<N-1 -> j++ :: break od;
       if :: j!=i && nfull(wire[i*N+j]) -> if :: acts[i] -> e=mine[i] :: else -> e=floor[i] fi; wire[i*N+j]!acts[i],e,clock[i]
          :: else -> skip fi; j=0; e=0 }
  :: atomic{ j=0; do :: j<N-1 -> j++ :: break od;
       if :: j!=i && nempty(wire[j*N+i]) -> wire[j*N+i]?a,e,b;
             if :: b>clock[i] -> clock[i]=b :: else -> skip fi;
             if :: a && e>told[i] -> told[i]=e :: else -> skip fi;
             if :: e>floor[i] -> floor[i]=e :: else -> skip fi;
             if
#ifndef BUG_NODEMOTE
             :: acts[i] && a && e>mine[i] -> acts[i]=false
#endif
             :: acts[i] && !a && e>mine[i] && mints<MINTS && DURABLE(i) -> mint(i) /* renews */
             :: else -> skip fi;
             assert(!acts[i] || told[i]<=mine[i])
          :: else -> skip fi; j=0; a=false; e=0; b=0 }
  od }
/* loses */
proctype net() { bool a; byte e, b, j; do
  :: atomic{ j=0; do :: j<N*N-1 -> j++ :: break od;
       if :: nempty(wire[j]) -> wire[j]?a,e,b :: else -> skip fi; j=0; a=false; e=0; b=0 }
  od }
init { atomic { byte i=0; do :: i<N -> run node(i); i++ :: else -> break od; run net() } }
