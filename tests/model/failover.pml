/* SPDX-License-Identifier: Apache-2.0
 *
 * One slot's register through takeovers: two devices, wrong promotions (PROM), a restart of the standby
 * (RST), healing, failing back, and a planned hand-over (GO, GOS times). Messages are lost, late,
 * repeated and out of order. `g` is what the protocol compares, `u` which write it truly was.
 *
 * The rules: a stream belongs to a session, chosen by the standby, and to the writer's epoch. Who hears
 * of a higher epoch from the other device drops what its shadow holds and chooses a new session, since
 * equal registers may stand for different writes; but after a hand-over, made when all was
 * acknowledged, the old writer keeps its table, for exactly that epoch. (mirror/endpoint.h knows no such
 * hand-over: there every new epoch begins a new session, which is the rule without the exception.)
 *
 * P In sync, both devices hold the same write; and never are both active under one epoch.
 *
 * Mistakes that must be found: BUG_NODISCARD, BUG_SAMESESSION (a new shadow with an old session's
 * number), BUG_GODIRTY (handed over before all was acknowledged), BUG_GOEPOCH (the hand-over takes an
 * epoch that the other device could take by itself, so both outcomes look alike). REACH asserts that
 * the whole way round is never gone to its end, which must be found as well.
 *
 * Larger scope without an error: OPS=2, 18.4 million states.
 */
#ifndef OPS
#define OPS 2
#endif
#ifndef PROM
#define PROM 2
#endif
#ifndef GOS
#define GOS 1
#endif
#ifndef QL
#define QL 2
#endif
mtype={DATA,ACK,HELLO,GO};
byte g[2],u[2],ep[2],inc[2],known[2]; bool act[2],dirty[2],outst[2];
#ifndef RST
#define RST 1
#endif
byte rsts=0,ops=0,proms=0,gos=0,uid=0,incs=1,net1=0;
chan c0=[QL] of {mtype,byte,byte,byte,byte}; chan c1=[QL] of {mtype,byte,byte,byte,byte}; /* type,epoch,sess,gen,uid */
#define INSYNC(i,j) (act[i] && !act[j] && ep[i]==ep[j] && known[i]!=0 && known[i]==inc[j] && !dirty[i] && !outst[i])
inline snd(i,m,e,s,a,b){ if :: i==0 && nfull(c1) -> c1!m,e,s,a,b :: i==0 && full(c1) -> skip :: i==1 && nfull(c0) -> c0!m,e,s,a,b :: i==1 && full(c0) -> skip fi }
inline discard(i){
#ifndef BUG_NODISCARD
  g[i]=0; u[i]=0;
#endif
#ifndef BUG_SAMESESSION
  incs++; inc[i]=incs
#else
  skip
#endif
}
inline lower(i,e){ /* saw a higher epoch from another writer */ ep[i]=e; act[i]=false; dirty[i]=false; outst[i]=false; known[i]=0; discard(i) }
#ifdef BUG_GOEPOCH
#define MINE(x,i)   (((x)/4+1)*4+2*(i))
#define GRANT(x,j)  (((x)/4+1)*4+2*(j))
#else /* hand-overs have epochs of their own */
#define MINE(x,i)   (((x)/4+1)*4+2*(i))
#define GRANT(x,j)  (((x)/4+1)*4+2*(j)+1)
#endif
inline nb(i,e){ e=MINE(ep[i],i) }
proctype node(byte i){ mtype m; byte e,s,a,b;
 do
 :: act[i] && ops<OPS -> atomic{ ops++; uid++; g[i]++; u[i]=uid; dirty[i]=true }
 :: atomic{ act[i] && dirty[i] && known[i]!=0 && ((i==0&&nfull(c1))||(i==1&&nfull(c0))) -> dirty[i]=false; outst[i]=true; snd(i,DATA,ep[i],known[i],g[i],u[i]) }
 :: atomic{ act[i] && outst[i] && !dirty[i] -> dirty[i]=true }                       /* RTO, maybe spurious */
 :: atomic{ ((i==0&&nfull(c1))||(i==1&&nfull(c0))) -> snd(i,HELLO,ep[i],inc[i],0,0) }
 :: !act[i] && proms<PROM -> atomic{ proms++; nb(i,e); ep[i]=e; act[i]=true; known[i]=0; dirty[i]=false; outst[i]=false; m=0;e=0 } /* unplanned */
 :: atomic{ act[i] && gos<GOS &&
#ifdef BUG_GODIRTY
     known[i]!=0
#else
     known[i]!=0 && !dirty[i] && !outst[i]
#endif
     -> gos++; e=GRANT(ep[i],1-i); snd(i,GO,e,known[i],inc[i],0); ep[i]=e; act[i]=false; dirty[i]=false; outst[i]=false; known[i]=0; e=0 }
 :: !act[i] && rsts<RST -> atomic{ rsts++; g[i]=0; u[i]=0;            /* standby process restart, same epoch */
#ifndef BUG_SAMESESSION
      incs++; inc[i]=incs
#endif
    }
 :: atomic{ ((i==0&&nempty(c0))||(i==1&&nempty(c1))) -> if :: i==0 -> c0?m,e,s,a,b :: i==1 -> c1?m,e,s,a,b fi;
     if
     :: m==GO && e>ep[i] && s==inc[i] && !act[i] -> ep[i]=e; act[i]=true; known[i]=a; dirty[i]=false; outst[i]=false
     :: m==GO && !(e>ep[i] && s==inc[i] && !act[i]) -> skip
     :: m!=GO && e>ep[i] -> lower(i,e)
     :: m!=GO && e<ep[i] -> skip
     :: m==DATA && e==ep[i] -> if :: !act[i] && s==inc[i] && a>=g[i] -> g[i]=a; u[i]=b; snd(i,ACK,e,s,a,0)
                                  :: !act[i] && s==inc[i] && a<g[i] -> snd(i,ACK,e,s,a,0)
                                  :: act[i] || s!=inc[i] -> skip fi
     :: m==ACK && e==ep[i] -> if :: act[i] && s==known[i] && a==g[i] -> outst[i]=false; dirty[i]=false
                                 :: !(act[i] && s==known[i] && a==g[i]) -> skip fi
     :: m==HELLO && e==ep[i] -> if :: act[i] && s!=known[i] && s>known[i] -> known[i]=s; dirty[i]=true; outst[i]=false /* new session: bulk */
                                   :: !(act[i] && s!=known[i] && s>known[i]) -> skip fi
     fi; m=0;e=0;s=0;a=0;b=0 }
 od }
proctype net(){ mtype m; byte e,s,a,b;
 do :: atomic{ nempty(c0) -> c0?m,e,s,a,b; m=0;e=0;s=0;a=0;b=0 } :: atomic{ nempty(c1) -> c1?m,e,s,a,b; m=0;e=0;s=0;a=0;b=0 }
    :: atomic{ net1<2 && nempty(c0) -> net1++; c0?m,e,s,a,b; c0!m,e,s,a,b; m=0;e=0;s=0;a=0;b=0 }
    :: atomic{ net1<2 && nempty(c0)&&nfull(c0) -> net1++; c0?<m,e,s,a,b>; c0!m,e,s,a,b; m=0;e=0;s=0;a=0;b=0 }
    :: atomic{ net1<2 && nempty(c1) -> net1++; c1?m,e,s,a,b; c1!m,e,s,a,b; m=0;e=0;s=0;a=0;b=0 }
    :: atomic{ net1<2 && nempty(c1)&&nfull(c1) -> net1++; c1?<m,e,s,a,b>; c1!m,e,s,a,b; m=0;e=0;s=0;a=0;b=0 } od }
proctype mon(){ do
#ifdef REACH
  :: atomic{ INSYNC(1,0) && gos>0 && rsts>0 && uid==OPS && proms==PROM -> assert(false) }
#endif
  :: atomic{ INSYNC(0,1) && u[0]!=u[1] -> assert(false) } :: atomic{ INSYNC(1,0) && u[0]!=u[1] -> assert(false) }
  :: atomic{ act[0]&&act[1]&&ep[0]==ep[1] -> assert(false) } od }
init{ atomic{ inc[0]=1; inc[1]=1; incs=1; act[0]=true; ep[0]=4; ep[1]=4; known[0]=1; run node(0); run node(1); run net(); run mon() } }
