// The kernel's IPVS in the emulated machine: its modules, and the real ipvsadm with what it needs.
import { root } from '../root.ts';
import type { Image } from './image.ts';

/** IPVS with all that it can use, and what marks packets. */
export const ipvsModules = [
  'crc32c_generic', // libcrc32c asks for it by name
  ...['ip_vs', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_lc', 'ip_vs_wlc', 'ip_vs_lblc', 'ip_vs_lblcr', 'ip_vs_dh', 'ip_vs_sh'],
  ...['ip_vs_sed', 'ip_vs_nq', 'ip_vs_fo', 'ip_vs_ovf', 'ip_vs_mh', 'ip_vs_twos', 'ip_vs_ftp', 'ip_vs_pe_sip'],
  ...['ipip', 'ip_gre', 'fou', 'fou6', 'ip6_tunnel', 'dummy', 'act_skbedit', 'cls_flower'],
];
export const ipvsPackages = ['ipvsadm', 'libnl-3-200', 'libnl-genl-3-200', 'libpopt0'];

/** For the machine's shell: only its own view of the host gets the packages. */
export function installPackages({ packages }: Image): string {
  return `
  cd ${packages}
  for folder in sbin usr/sbin; do [ ! -d $folder ] || cp $folder/* /usr/sbin/; done
  for folder in lib usr/lib; do [ ! -d $folder ] || cp -a $folder/. /usr/lib/; done
  cd ${root}`;
}
