// mDNS with js-libp2p's @libp2p/mdns, both ways: real multicast over loopback, in a network namespace of its own.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages()
const INSIDE = 'GUTS_MDNS_INSIDE'
if (!process.env[INSIDE]) {
  const how = [['--net'], ['--user', '--map-root-user', '--net']]
    .find((flags) => spawnSync('unshare', [...flags, 'ip', 'link', 'set', 'lo', 'up']).status === 0)
  if (!how) {
    console.log('1..0 # SKIP no right to make a network namespace')
    process.exit(0)
  }
  const run = spawnSync('unshare', [...how, 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', process.execPath,
    fileURLToPath(import.meta.url)], { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } })
  process.exit(run.status ?? 1)
}

await import('./compat.mjs')
const { jsPeer } = await import('./jspeer.mjs')
const { mdns } = await import('@libp2p/mdns')

const DEADLINE_MS = 60_000 // bounds a failure
const homes = mkdtempSync(join(tmpdir(), 'guts-mdns-'))
const children = new Set()
process.on('exit', () => { // also when a case failed
  for (const child of children) child.kill('SIGKILL')
  rmSync(homes, { recursive: true, force: true })
})

// A node that was told of nobody.
async function gutsNode(name) {
  const child = spawn(process.env.GUTS ?? 'guts', ['run', '--json', '--home', join(homes, name),
    '--listen', '/ip4/0.0.0.0/tcp/0', '--http', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  children.add(child)
  const gone = new Promise((resolve) => child.once('exit', resolve)).then(() => children.delete(child))
  const ready = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)))
    child.once('exit', (code) => reject(new Error(`guts run ended with ${code}`)))
  })
  return { ...ready, stop: () => { child.kill('SIGTERM'); return gone } }
}

// The event of `node` that matches, also one that came already.
function heard(node, type) {
  const came = []
  let look = () => {}
  node.addEventListener(type, ({ detail }) => { came.push(detail); look() })
  return (match) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${type} within ${DEADLINE_MS} ms`)), DEADLINE_MS)
    look = () => {
      const found = came.find(match)
      if (found) { clearTimeout(timer); resolve(found) }
    }
    look()
  })
}

// Its discovery is listened to directly: libp2p tells of a peer once, and it may have dialled us before.
async function jsNode() {
  let discovery
  const discover = (components) => {
    const service = mdns()(components)
    discovery = heard(service, 'peer')
    return service
  }
  const node = await jsPeer({}, { peerDiscovery: [discover], start: false })
  const identified = heard(node, 'peer:identify')
  await node.start()
  return { node, discovery, identified }
}

await group('js comes to C', async () => {
  const c = await gutsNode('first')
  const js = await jsNode()
  const found = await js.discovery((d) => d.id.toString() === c.peer_id)
  ok(found.multiaddrs.length > 0, 'js finds the C node and its addresses', found.multiaddrs.join(' '))
  const seen = await js.identified((d) => d.peerId.toString() === c.peer_id)
  ok(seen.connection.direction === 'inbound' && seen.agentVersion.startsWith('guts/'), 'the C node finds js and dials it',
    `${seen.connection.direction} ${seen.agentVersion}`)
  await seen.connection.close()
  await js.node.dial(found.multiaddrs)
  ok(js.node.getConnections().some((k) => k.remotePeer.toString() === c.peer_id && k.direction === 'outbound'),
    'js reaches the C node at the address that it found')
  await js.node.stop()
  await c.stop()
})

await group('C comes to js', async () => {
  const js = await jsNode()
  const c = await gutsNode('second')
  const seen = await js.identified((d) => d.peerId.toString() === c.peer_id)
  ok(seen.connection.direction === 'inbound', 'a C node that starts later finds js and dials it')
  await js.discovery((d) => d.id.toString() === c.peer_id)
  ok(true, 'js hears the answer to the question of the C node')
  await js.node.stop()
  await c.stop()
})

done()
