"""SIP messages as real peers send them."""

from __future__ import annotations

REGISTER = b"""REGISTER sip:pbx.lab SIP/2.0\r
Via: SIP/2.0/UDP 192.168.1.50:40000;branch=z9hG4bKabc;rport\r
Max-Forwards: 70\r
From: "Front \\"Desk\\", lobby" <sip:1001@pbx.lab>;tag=a1\r
To: <sip:1001@pbx.lab>\r
Call-ID: 1@192.168.1.50\r
CSeq: 1 REGISTER\r
Contact: <sip:1001@192.168.1.50:40000>;expires=300\r
Content-Length: 0\r
\r
"""
CHALLENGED = b"""SIP/2.0 401 Unauthorized\r
Via: SIP/2.0/UDP 192.168.1.50:40000;branch=z9hG4bKabc;rport=40000;received=192.168.1.50\r
From: <sip:1001@pbx.lab>;tag=a1\r
To: <sip:1001@pbx.lab>;tag=b2\r
Call-ID: 1@192.168.1.50\r
CSeq: 1 REGISTER\r
WWW-Authenticate: Digest realm="pbx.lab", nonce="abc", qop="auth,auth-int", algorithm=SHA-256\r
Server: kamailio (5.6.3 (x86_64/linux))\r
Content-Length: 0\r
\r
"""
OFFER = b"""v=0\r
o=alice 1 1 IN IP4 192.168.1.51\r
s=-\r
c=IN IP4 192.168.1.51\r
t=0 0\r
m=audio 4000 RTP/AVP 8 0 101\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=sendrecv\r
"""
INVITE = (
    b"""INVITE sip:1001@192.168.1.50:40000 SIP/2.0\r
Record-Route: <sip:192.168.1.10;lr>, <sip:192.168.1.10:5061;transport=tls;lr>\r
v: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKproxy, SIP/2.0/UDP [fd00:1::51]:5060\r
  ;branch=z9hG4bKphone;received=fd00:1::51;rport=1024\r
Max-Forwards: 69\r
f: <sip:1002@pbx.lab;user=phone>;tag=c3\r
t: <sip:1001@pbx.lab>\r
i: call@192.168.1.51\r
CSeq: 7 INVITE\r
m: <sip:1002@192.168.1.51:5060;transport=udp>\r
c: application/sdp\r
l: %d\r
\r
"""
    % len(OFFER)
    + OFFER
)
RINGING = b"""SIP/2.0 180 Ringing\r
Via: SIP/2.0/TCP [fd00:1::50]:40000;branch=z9hG4bKxyz;rport=40000;received=fd00:1::50\r
From: <sip:1001@pbx.lab>;tag=a1\r
To: <sip:1002@pbx.lab>;tag=d4\r
Call-ID: 2@fd00:1::50\r
CSeq: 2 INVITE\r
Content-Length: 0\r
\r
"""
ALL = (REGISTER, CHALLENGED, INVITE, RINGING)
