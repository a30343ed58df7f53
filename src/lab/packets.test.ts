// What the laboratory reads out of captured frames.
import { describe, expect, it } from 'vitest';
import { decodeFrame, type Ip, innermost, payloadOf } from './packets.ts';

const macs = '02000a00000b' + '02000a000001';
/** 198.51.100.10:20001 > 203.0.113.100:80, SYN, MSS 1460, sequence 0x01020304. */
const tcp = '4e210050010203040000000060020200aaaa0000020405b4';
const udp = `4e2123280010bbbb${Buffer.from('nat-1-ab').toString('hex')}`;
const addresses = 'c633640acb007164';
const header = (protocol: string, length: number, ttl = '3f'): string =>
  `4500${length.toString(16).padStart(4, '0')}00014000${ttl}${protocol}cccc${addresses}`;

function ipOf(hex: string): Ip {
  const body = decodeFrame(Buffer.from(macs + hex, 'hex'))?.body;
  if (body?.kind !== 'ip') throw new Error('no IP in it');
  return body;
}

describe('decodeFrame', () => {
  it('reads both MACs', () => {
    const frame = decodeFrame(Buffer.from(`${macs}86dd`, 'hex'));
    expect(frame).toEqual({ destination: '02:00:0a:00:00:0b', source: '02:00:0a:00:00:01', body: undefined });
  });

  it('reads TCP', () => {
    expect(ipOf(`0800${header('06', 44)}${tcp}`)).toMatchObject({
      source: '198.51.100.10',
      destination: '203.0.113.100',
      ttl: 63,
      protocol: 6,
      body: {
        kind: 'tcp',
        sourcePort: 20001,
        destinationPort: 80,
        sequence: 0x01020304,
        flags: { syn: true, ack: false },
      },
    });
  });

  it('leaves out what pads a short frame', () => {
    expect(payloadOf(ipOf(`0800${header('11', 36)}${udp}000000`))?.toString()).toBe('nat-1-ab');
  });

  it('reads what a tunnel carries', () => {
    const ip = ipOf(`0800${header('04', 64, '3e')}${header('06', 44)}${tcp}`);
    expect(ip).toMatchObject({ protocol: 4, ttl: 62, body: { kind: 'ip', ttl: 63 } });
    expect(innermost(ip).body).toMatchObject({ kind: 'tcp', destinationPort: 80 });
  });

  it('reads ICMP', () => {
    expect(ipOf(`0800${header('01', 28)}0302000000000000`).body).toEqual({ kind: 'icmp', type: 3, code: 2 });
  });

  it('reads ARP', () => {
    const arp = '0001080006040002' + '02000a000001' + 'cb007164' + '02000a00000b' + 'cb007101';
    expect(decodeFrame(Buffer.from(`${macs}0806${arp}`, 'hex'))?.body).toEqual({
      kind: 'arp',
      operation: 'reply',
      senderMac: '02:00:0a:00:00:01',
      sender: '203.0.113.100',
      target: '203.0.113.1',
    });
  });

  const whole = Buffer.from(`${macs}0800${header('04', 64)}${header('06', 44)}${tcp}`, 'hex');
  it.each(Array.from({ length: whole.length }, (_, length) => length))('takes a frame cut to %i bytes', (length) => {
    expect(() => decodeFrame(whole.subarray(0, length))).not.toThrow();
  });
});
