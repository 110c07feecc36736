/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is active for one traffic group, of two devices. The rules that whoever sets config::Roles has to
 * keep: each turn of being active has an epoch of its own, ballot * 2 + device, higher than all the
 * device has seen and kept through restarts; who hears of a higher one stands by. Hellos are lost, late
 * and out of order; the peer may be taken for dead wrongly (MAXB times); devices crash (CR times).
 *
 * P1 No two active devices share an epoch.     P2 No epoch is used for two turns.
 * P3 When both know of the same epoch, one at most is active.
 * P4 No device stays active that knows of a higher epoch than its own.
 *
 * Mistakes that must be found: BUG_NOID (epochs without the device), BUG_NOPERSIST (forgotten in a
 * crash), BUG_NODEMOTE. Larger scope without an error: MAXB=4, 2.4 million states.
 */
#ifndef MAXB
#define MAXB 4
#endif
#ifndef CR
#define CR 1
#endif
byte ep[2];              /* highest epoch seen, kept through crashes */
bool act[2]; byte my[2]; /* my[i]: the epoch under which i is active */
byte crashes=0; byte tmo=0;
bool used[32];
chan c0=[2] of {byte,bool}; chan c1=[2] of {byte,bool}; /* hello: epoch, isactive ; c0 -> node0 */
inline nextb(i,e){
#ifdef BUG_NOID
 e = ((ep[i]/2)+1)*2
#else
 e = ((ep[i]/2)+1)*2+i
#endif
}
inline hello(i){ if :: i==0 && nfull(c1) -> c1!ep[0],act[0] :: i==0 && full(c1) -> skip :: i==1 && nfull(c0) -> c0!ep[1],act[1] :: i==1 && full(c0) -> skip fi }
proctype node(byte i){ byte e; bool a;
 do
 :: !act[i] && tmo<MAXB -> atomic{ tmo++; nextb(i,e); assert(e<32);
#ifndef BUG_NOPERSIST
      assert(!used[e]
#ifdef BUG_NOID
       || true
#endif
      );
#else
      assert(!used[e]);
#endif
      used[e]=true; ep[i]=e; my[i]=e; act[i]=true; hello(i) }
 :: atomic{ (i==0 && nfull(c1)) || (i==1 && nfull(c0)) -> hello(i) }
 :: atomic{ (i==0 && nempty(c0)) || (i==1 && nempty(c1)) ->
       if :: i==0 -> c0?e,a :: i==1 -> c1?e,a fi;
       if :: e>ep[i] -> ep[i]=e;
#ifndef BUG_NODEMOTE
             act[i]=false
#endif
          :: e<=ep[i] -> skip fi }
 :: crashes<CR -> atomic{ crashes++; act[i]=false;
#ifdef BUG_NOPERSIST
      ep[i]=0
#endif
      }
 od }
proctype net(){ byte e; bool a;
 do :: atomic{ nempty(c0) -> c0?e,a } :: atomic{ nempty(c1) -> c1?e,a }
    :: atomic{ nempty(c0) -> c0?e,a; c0!e,a } :: atomic{ nempty(c1) -> c1?e,a; c1!e,a } od }
proctype mon(){ do
 :: atomic{ act[0] && act[1] -> assert(my[0]!=my[1]) }
 :: atomic{ ep[0]==ep[1] -> assert(!(act[0]&&act[1])) }   /* P3: views equal => single active */
 :: atomic{ act[0] && act[1] && my[0]<my[1] && ep[0]>=my[1] -> assert(false) } /* knows of a higher epoch yet active */
 :: atomic{ act[0] && act[1] && my[1]<my[0] && ep[1]>=my[0] -> assert(false) }
 od }
init { atomic { run node(0); run node(1); run net(); run mon() } }
