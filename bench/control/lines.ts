// Tables of so many lines, as ipvsadm writes them: each service has nine real servers.

const linesOfService = 10;

/** `-A` and `-a` lines for `ipvsadm -R`; `weight`: the first service's first real server's. */
export function tableLines(lines: number, weight = 1): string {
  const services = Math.max(1, Math.floor(lines / linesOfService));
  return Array.from({ length: services }, (_, index) => serviceLines(index, index === 0 ? weight : 1)).join('');
}

function serviceLines(index: number, weight: number): string {
  const vip = `10.${100 + (index >> 14)}.${(index >> 6) & 255}.${1 + (index & 63)}:80`;
  const members = Array.from(
    { length: linesOfService - 1 },
    (_, member) => `-a -t ${vip} -r 10.0.${member}.${1 + (index % 250)}:80 -g -w ${member === 0 ? weight : 1}\n`,
  );
  return `-A -t ${vip} -s wlc\n${members.join('')}`;
}
