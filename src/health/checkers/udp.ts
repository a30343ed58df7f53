// Does it answer a datagram, or at least take it?
import type { UdpChecker } from '../../model/check.ts';
import { sendDatagram } from '../datagrams.ts';
import { mismatch } from '../expectation.ts';
import { abortion } from '../reason.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

export function checkUdp(
  target: Target,
  { sendHex, expect, isReplyRequired }: UdpChecker,
  signal: AbortSignal,
): Promise<Finding> {
  return sendDatagram(target, Buffer.from(sendHex, 'hex'), signal, {
    reply: (message) => {
      const wrong = expect && mismatch(expect, message);
      return wrong === undefined ? up('it answered') : down(`its answer: ${wrong}`);
    },
    silence: () =>
      isReplyRequired || expect !== undefined
        ? down(abortion(signal))
        : up('nothing tells that the datagram did not arrive'),
  });
}
