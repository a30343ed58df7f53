// On veth, XDP meets packets whose checksum a device was to finish, and there is none.
import type { Problem } from '../problem.ts';
import type { Ward } from '../ward.ts';

export function xdpOnVeth({ director, system }: Ward): readonly Problem[] {
  const on = (director?.status.attachments ?? []).filter(
    ({ xdp, index }) => xdp && system.interfaces.some((one) => one.index === index && one.kind === 'veth'),
  );
  return on.map(({ interface: name }) => ({
    id: 'xdp-on-veth',
    wrong: `our XDP program is on ${name}, which is a veth`,
    why: 'senders leave checksums to the device (tx offload): XDP corrects what is not finished, and receivers drop it; and the peer loses segmentation offload',
    evidence: `\`fairlead status\`: ${name} xdp; \`ip -d link show ${name}\`: veth`,
    mend: { command: `fairlead attach ${on.map((one) => one.interface).join(' ')} --hook tc`, isSafe: true },
  }));
}
