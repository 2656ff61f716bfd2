// A js-libp2p node as the tests and the bench use it: TCP, Noise, yamux, identify, ping and an echo.
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'

export { multiaddr } from '@multiformats/multiaddr'
export const ECHO = '/guts/test/echo/1.0.0'

export async function jsPeer(services = {}, options = {}) {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), push: identifyPush(), ping: ping(), ...services },
    // Its defaults take five new connections per second and host.
    connectionManager: { inboundConnectionThreshold: 10000, maxIncomingPendingConnections: 1000 },
    ...options,
  })
  await node.handle(ECHO, async (stream) => {
    for await (const chunk of stream) {
      if (!stream.send(chunk)) await stream.onDrain()
    }
    await stream.close()
  }, { maxInboundStreams: 64, maxOutboundStreams: 64 })
  return node
}
