// The far end of a veth whose frames are measured: it drops them all, and its kernel counts them.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../test/root.ts';

const device = 'r0';
export const sinkObject = join(root, 'build/bpf/sink.bpf.o');

/** In the calling thread's network namespace, as all here. */
export function attachSink(): void {
  execFileSync('ip', ['-force', 'link', 'set', device, 'xdp', 'obj', sinkObject, 'sec', 'xdp']);
}

export function arrivedFrames(): number {
  const text = execFileSync('ethtool', ['-S', device], { encoding: 'utf8' });
  return [...text.matchAll(/rx_queue_\d+_xdp_drops: (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
