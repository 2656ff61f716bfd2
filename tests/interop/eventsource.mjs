// The npm package eventsource at our event stream: named events, its own resume over a kill -9, CloudEvents.
import { GutsNode, until } from './gutsnode.mjs'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages('eventsource')
const { EventSource } = await import('eventsource')

const node = await GutsNode.start({ sets: ['p2p.mdns=false', 'kad.mode=off'] })

function listen(query, types) {
  const source = new EventSource(`${node.url}/api/v1/events${query}`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${node.token}` } }),
  })
  const got = []
  for (const type of types) source.addEventListener(type, (e) => got.push({ type, id: e.lastEventId, data: JSON.parse(e.data) }))
  return { source, got }
}

const create = (name) => node.post('/repos', { name })
const names = (got) => got.map((e) => e.data.data.name)

await group('an EventSource hears facts by their names', async () => {
  const { source, got } = listen('?type=repo.created', ['hello', 'repo.created'])
  await until(() => got.length, 'hello')
  ok(got[0].type === 'hello' && got[0].data.id === node.id, 'the stream begins with a hello')
  await create('one')
  await until(() => got.length === 2, 'the fact')
  ok(got[1].data.data.name === 'one' && Number(got[1].id) === got[1].data.id, 'a fact comes under its name, with its id', JSON.stringify(got[1]))
  source.close()
})

await group('it resumes by itself after kill -9', async () => {
  const { source, got } = listen('?type=repo.created,node.started&since=0', ['repo.created', 'node.started'])
  for (const round of ['two', 'three']) {
    await create(round)
    await until(() => names(got).includes(round), round)
    await node.crash()
    await create(`${round} again`.replace(' ', '-'))
    await until(() => names(got).includes(`${round}-again`), 'what came after the start')
  }
  const { events } = await node.get('/events?since=0&limit=1000&type=repo.created,node.started')
  ok(JSON.stringify(got.map((e) => e.data)) === JSON.stringify(events), 'each fact once and in order, over two crashes',
    `${got.map((e) => e.id)}\n${events.map((e) => e.id)}`)
  source.close()
})

await group('CloudEvents over the same stream', async () => {
  const { source, got } = listen('?type=repo.created&since=0&format=cloudevents', ['repo.created'])
  await until(() => names(got.map((e) => ({ data: e.data.data }))).includes('one'), 'the facts')
  const ce = got[0].data
  ok(ce.specversion === '1.0' && ce.type === 'guts.repo.created' && ce.id === got[0].id && ce.subject === ce.data.repo,
    'the data of each event is a CloudEvent', JSON.stringify(ce))
  source.close()
})

await node.stop()
done()
