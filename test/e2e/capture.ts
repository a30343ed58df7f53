// ICMP as a host gets it, told by tcpdump, which also checks the sums.
import type { Host, Segment } from './network.ts';

export interface Capture {
  /** Each message with what it quotes, as tcpdump -vv prints it. */
  messages(): readonly string[];
}

export async function captureIcmp(host: Host, segment: Segment): Promise<Capture> {
  const filter = ['icmp', 'and', 'not', 'icmp[0]==8', 'and', 'not', 'icmp[0]==0'];
  const child = host.start('tcpdump', '-Z', 'root', '--immediate-mode', '-l', '-n', '-vv', '-i', segment, ...filter);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  await child.saying('listening on', 'stderr', AbortSignal.timeout(10_000));
  // Each begins with a time of day; the lines that belong to it are indented.
  return { messages: () => text.split(/^(?=\S)/m).filter((message) => message.includes('ICMP')) };
}
