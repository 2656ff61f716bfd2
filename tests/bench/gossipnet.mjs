// gossipnet.mjs - a js-libp2p node of a measured gossip network; the words are those of gossipnet.c.
import { createInterface } from 'node:readline'
import { createLibp2p, load, multiaddr, noise, tcp, yamux } from './packages.mjs'

const { gossipsub } = await load('@libp2p/gossipsub')
const { identify } = await load('@libp2p/identify')

const TOPIC = 'guts-bench'
const DATA_BYTES = 256

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { inboundConnectionThreshold: 10000, maxIncomingPendingConnections: 1000 },
  services: {
    identify: identify(),
    // With its default score for many peers at one address it drops messages here.
    pubsub: gossipsub({
      globalSignaturePolicy: 'StrictSign',
      allowPublishToZeroTopicPeers: true,
      scoreParams: { IPColocationFactorWeight: 0 },
    }),
  },
})
const { pubsub } = node.services

let heard = []
pubsub.addEventListener('message', ({ detail }) => {
  const made = BigInt(new TextDecoder().decode(detail.data.subarray(0, 20)))
  heard.push(Number((process.hrtime.bigint() - made) / 1000n))
})
pubsub.subscribe(TOPIC)
console.log(node.getMultiaddrs()[0].toString())

async function publish(count, every) {
  const begun = performance.now()
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, begun + i * every - performance.now()))
    const text = process.hrtime.bigint().toString().padStart(20, '0').padEnd(DATA_BYTES, '.')
    await pubsub.publish(TOPIC, new TextEncoder().encode(text))
  }
  console.log(count)
}

// Twenty of them starting at once may take longer than one attempt is given.
async function dial(address, tries = 5) {
  await node.dial(multiaddr(address)).catch((err) => {
    if (tries === 1) throw err
    return dial(address, tries - 1)
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  const [word, a, b] = line.split(' ')
  if (word === 'dial') await dial(a)
  else if (word === 'mesh') console.log(pubsub.getMeshPeers(TOPIC).length)
  else if (word === 'heard') console.log(heard.length)
  else if (word === 'publish') await publish(Number(a), Number(b))
  else if (word === 'report') {
    console.log(heard.join(' '))
    heard = []
  }
}
process.exit(0)
