// A js-libp2p node that gossips: what it hears, and the control entries that reach it.
import { createHash } from 'node:crypto'
import { jsPeer } from './jspeer.mjs'
import { gossipsub } from '@libp2p/gossipsub'

export const text = (data) => new TextDecoder().decode(data)

// The id every Guts node gives a message (doc/protocol.md).
function messageId({ topic, data }) {
  const hash = createHash('sha256').update('guts-gossip-id/1\0')
  for (const part of [Buffer.from(topic), data]) {
    const n = Buffer.alloc(4)
    n.writeUInt32BE(part.length)
    hash.update(n).update(part)
  }
  return hash.digest()
}

export async function gossiper(topic, options = {}) {
  const node = await jsPeer({
    pubsub: gossipsub({
      msgIdFn: messageId,
      globalSignaturePolicy: 'StrictSign',
      allowPublishToZeroTopicPeers: true,
      scoreParams: { IPColocationFactorWeight: 0 }, // all are at 127.0.0.1
      ...options,
    }),
  })
  const { pubsub } = node.services
  const heard = []
  const waiting = []
  node.count = 0
  pubsub.addEventListener('message', ({ detail }) => {
    node.count++
    const i = waiting.findIndex((w) => w.match(detail))
    if (i >= 0) waiting.splice(i, 1)[0].resolve(detail)
    else heard.push(detail)
  })
  node.hears = (match) => {
    const i = heard.findIndex(match)
    return i >= 0 ? Promise.resolve(heard.splice(i, 1)[0]) : new Promise((resolve) => waiting.push({ match, resolve }))
  }
  node.says = (line) => pubsub.publish(topic, new TextEncoder().encode(line))
  node.control = { graft: 0, prune: 0, ihave: 0, iwant: 0, idontwant: 0 }
  const receive = pubsub.handleReceivedRpc.bind(pubsub)
  pubsub.handleReceivedRpc = (from, rpc) => {
    for (const kind of Object.keys(node.control)) node.control[kind] += rpc.control?.[kind]?.length ?? 0
    return receive(from, rpc)
  }
  pubsub.subscribe(topic)
  return node
}

// Until `done()` holds: the node's own events say when to look again.
export async function until(node, done) {
  const { pubsub } = node.services
  while (!done()) {
    await new Promise((resolve) => {
      for (const event of ['gossipsub:graft', 'gossipsub:prune', 'gossipsub:heartbeat', 'subscription-change']) {
        pubsub.addEventListener(event, resolve, { once: true })
      }
    })
  }
}

// Until the js node has the peer in its mesh of the topic.
export const inMesh = (node, topic, peer) => until(node, () => node.services.pubsub.getMeshPeers(topic).includes(peer))
