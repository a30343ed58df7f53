// The same from elsewhere: `node examples/remote.mjs https://director:8443 TOKEN [CA.pem]`. A token of role read is enough.
import { readFileSync } from 'node:fs';
import { connect } from 'fairlead';

const [url = '', token = '', ca] = process.argv.slice(2);
const director = connect({ url, token, ...(ca && { ca: readFileSync(ca) }) });
const { services } = await director.status();
console.log(
  `${services.length} services, ${services.filter(({ isQuorumLost }) => isQuorumLost).length} without a quorum`,
);
