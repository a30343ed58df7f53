// Running a command as nobody, who may still read it: the tree may lie where only root goes.

const capability = '+dac_read_search';

export const withoutRoot: readonly string[] = [
  ...['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'],
  ...['--inh-caps', capability, '--ambient-caps', capability],
];
