// How each real server stands: `node examples/status.mjs`, on the director.
import { connect } from 'fairlead';

const { services } = await connect().status();
for (const { service, destinations } of services) {
  for (const { destination, isUp, reason, weight = 0, activeConnections } of destinations) {
    const state = isUp ? `up, weight ${weight}, ${activeConnections} connections` : `down: ${reason}`;
    console.log(`${service} -> ${destination}: ${state}`);
  }
}
