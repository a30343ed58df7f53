// A frame that comes to this machine as if by an interface's cable: through its TC filters, netfilter and the stack.
import { fileURLToPath } from 'node:url';
import { encode } from './codec.ts';
import { cStruct } from './layout.ts';
import { BpfObject } from './object.ts';
import { liveFrames } from './program.ts';

const objectPath = fileURLToPath(new URL('../../build/bpf/pass.bpf.o', import.meta.url));

const contextLayout = cStruct('xdp_md', [
  ['data', 'u32'],
  ['data_end', 'u32'],
  ['data_meta', 'u32'],
  ['ingress_ifindex', 'u32'],
  ['rx_queue_index', 'u32'],
  ['egress_ifindex', 'u32'],
]);

export function arrive(ifindex: number, frame: Uint8Array): void {
  using object = BpfObject.open(objectPath);
  object.load();
  using pass = object.program('pass');
  const context = encode(contextLayout, { data_end: frame.length, ingress_ifindex: ifindex });
  pass.testRun({ packet: Buffer.from(frame), context, flags: liveFrames, repeat: 1 });
}
