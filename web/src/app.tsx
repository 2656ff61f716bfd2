// The dashboard: frame, navigation, and the page that the address names.
import { effect } from '@preact/signals'
import { render, type ComponentType, type RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { lazy } from './lazy'
import { epoch, hello, link, lostSince, start, streamNow } from './live'
import { startNames } from './names'
import { Overview, startRates } from './pages/overview'
import { applyTheme, keysOn } from './prefs'
import { go, route, startRouter, takeCode } from './router'
import { loadSession, login, loginError, session } from './session'
import { clock, shortPeer, span } from './text'
import { arriving, Dialog, Empty, Head, title, toasts } from './ui'

const Peers = lazy(() => import('./pages/peers').then((m) => m.Peers))
const PeerPage = lazy<{ id: string }>(() => import('./pages/peer').then((m) => m.PeerPage))
const Network = lazy(() => import('./pages/network').then((m) => m.Network))
const Repos = lazy(() => import('./pages/repos').then((m) => m.Repos))
const RepoPage = lazy(() => import('./repo/repo').then((m) => m.RepoPage))
const Ci = lazy(() => import('./pages/ci').then((m) => m.Ci))
const NodeHooks = lazy(() => import('./pages/hooks').then((m) => m.NodeHooks))
const Gossip = lazy(() => import('./pages/gossip').then((m) => m.Gossip))
const Dht = lazy(() => import('./pages/dht').then((m) => m.DhtPage))
const Events = lazy(() => import('./pages/events').then((m) => m.Events))
const Log = lazy(() => import('./pages/log').then((m) => m.Log))
const Settings = lazy(() => import('./pages/settings').then((m) => m.Settings))
const Login = lazy(() => import('./pages/login').then((m) => m.Login))
const Reference = lazy(() => import('./pages/reference').then((m) => m.Reference as ComponentType<{ schema?: string }>))

const NAV = [
	['', 'Overview', 'o', 'M2 2h5v5H2zm7 0h5v5H9zM2 9h5v5H2zm7 0h5v5H9z'],
	[
		'peers',
		'Peers',
		'p',
		'M8 1.5a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6M3.6 10a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6m8.8 0a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6M6.9 5.9 4.7 10.2m4.4-4.3 2.2 4.3',
	],
	[
		'network',
		'Network',
		'n',
		'M8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6M6.6 6.9 3.4 3.9m6 3 3.2-3m-6 5.2-3.2 3m6-3 3.2 3M2.6 2a1 1 0 1 1 0 2 1 1 0 0 1 0-2m10.8 0a1 1 0 1 1 0 2 1 1 0 0 1 0-2M2.6 12a1 1 0 1 1 0 2 1 1 0 0 1 0-2m10.8 0a1 1 0 1 1 0 2 1 1 0 0 1 0-2',
	],
	['repos', 'Repositories', 'r', 'M3 2h10v12H4.5A1.5 1.5 0 0 1 3 12.5zm0 10.5A1.5 1.5 0 0 1 4.5 11H13M6 4.5h4'],
	['ci', 'CI', 'c', 'M2 8a6 6 0 0 1 10.5-4L14 5.5m0-3v3h-3M14 8a6 6 0 0 1-10.5 4L2 10.5m0 3v-3h3'],
	['hooks', 'Webhooks', 'w', 'M6 5.5a2.5 2.5 0 1 1 3.7 2.2l2 3.6M4.5 8.2A2.5 2.5 0 1 0 7 11.5h4.2m-4.9-1 2-3.4'],
	['gossip', 'Gossip', 'g', 'M2 3h12v8H7l-3 3v-3H2z'],
	['dht', 'DHT', 'd', 'M6.5 2.5 5 13.5m6-11-1.5 11M3 6h11M2 10h11'],
	['events', 'Events', 'e', 'M1.5 8h3l2-5 3 10 2-5h3'],
	['settings', 'Settings', 's', 'M2 4h7m3 0h2M2 12h2m3 0h7M9 2.5h3v3H9zM4 10.5h3v3H4z'],
	['api', 'API', 'a', 'M5 3 1.5 8 5 13m6-10 3.5 5L11 13M9 2 7 14'],
] as const

function Page() {
	const [first = ''] = route.value.parts
	switch (first) {
		case '':
			return <Overview />
		case 'peers':
			return route.value.parts[1] ? <PeerPage key={route.value.parts[1]} id={route.value.parts[1]} /> : <Peers />
		case 'network':
			return <Network />
		case 'repos':
			return <Repos />
		case 'r':
			return <RepoPage />
		case 'ci':
			return <Ci />
		case 'hooks':
			return <NodeHooks />
		case 'gossip':
			return <Gossip />
		case 'dht':
			return <Dht />
		case 'events':
			return <Events />
		case 'log':
			return <Log />
		case 'settings':
			return <Settings />
		case 'login':
			return <Login />
		case 'api':
			return <Reference schema={route.value.query.get('schema') ?? ''} />
	}
	return (
		<>
			<Head text="No such page" />
			<Empty>
				There is nothing at this address. <a href="#/">Overview</a>
			</Empty>
		</>
	)
}

function Nav() {
	const first = route.value.parts[0] ?? ''
	const current = { r: 'repos', log: 'events' }[first] ?? first
	const nav = useRef<HTMLElement>(null)
	// On a narrow screen the entries are a row to scroll.
	useEffect(() => nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [current])
	return (
		<nav class="nav" aria-label="Main" ref={nav}>
			<ul>
				{NAV.map(([to, text, , icon]) => (
					<li>
						<a href={'#/' + to} aria-current={to === current ? 'page' : undefined}>
							<svg viewBox="0 0 16 16" aria-hidden="true">
								<path d={icon} />
							</svg>
							<span>{text}</span>
						</a>
					</li>
				))}
			</ul>
		</nav>
	)
}

const SAID = { connecting: 'connecting', open: 'live', lost: 'disconnected', denied: 'not logged in' } as const

function Top() {
	const s = session.value
	return (
		<header class="top">
			<a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById('main')?.focus())}>
				Skip to content
			</a>
			<a class="brand" href="#/" aria-label="guts: overview">
				<svg viewBox="0 0 32 32" aria-hidden="true">
					<path d="M9 10v12M9 16h7c4 0 7-2 7-6" />
					<circle cx="9" cy="8" r="3" />
					<circle cx="9" cy="24" r="3" />
					<circle cx="23" cy="8" r="3" />
				</svg>
				guts
			</a>
			{hello.value && <code class="node-id">{shortPeer(hello.value.id)}</code>}
			<span class={'live ' + link.value}>{SAID[link.value]}</span>
			<span class="grow" />
			{s && s.kind === 'session' ? <a href="#/settings">Session</a> : <a href="#/login">Log in</a>}
		</header>
	)
}

// What went wrong between this page and the node.
function Banner() {
	if (link.value === 'lost')
		return (
			<div class="banner bad" role="alert">
				<span>
					The node does not answer
					{lostSince.value > 0 && clock.value - lostSince.value > 5000 && ` for ${span((clock.value - lostSince.value) / 1000)}`}.
					What is shown may be old; this page goes on by itself.
				</span>
				<button type="button" class="small" onClick={streamNow}>
					Try now
				</button>
			</div>
		)
	if (link.value === 'denied')
		return (
			<div class="banner warn" role="alert">
				<span>This node shows nothing without a login.</span>
				<a class="button small" href="#/login">
					Log in
				</a>
			</div>
		)
	return null
}

const Toasts = () => (
	<div class="toasts" role="status" aria-live="polite">
		{toasts.value.map((t) => (
			<div key={t.id} class={'toast ' + t.tone}>
				{t.text}
			</div>
		))}
	</div>
)

// -- keyboard: "g p" and the like, "/" to search, "?" for help; can be turned off in the settings

function useKeys(help: () => void) {
	useEffect(() => {
		let before = ''
		let timer = 0
		const key = (e: KeyboardEvent) => {
			const at = e.target as HTMLElement
			if (
				!keysOn.value ||
				e.ctrlKey ||
				e.metaKey ||
				e.altKey ||
				at.closest?.('input, textarea, select, dialog, [contenteditable]')
			)
				return
			if (before === 'g') {
				const to = NAV.find(([, , k]) => k === e.key)
				before = ''
				if (to) go('#/' + to[0])
				return
			}
			if (e.key === 'g') {
				before = 'g'
				clearTimeout(timer)
				timer = setTimeout(() => (before = ''), 1500) as unknown as number
			} else if (e.key === '?') help()
			else if (e.key === '/') {
				const search = document.querySelector<HTMLElement>('[data-key="/"]')
				if (search) {
					e.preventDefault()
					search.focus()
				}
			}
		}
		addEventListener('keydown', key)
		return () => removeEventListener('keydown', key)
	}, [])
}

function Keys({ open, onClose }: { open: boolean; onClose(): void }) {
	return (
		<Dialog title="Keyboard" open={open} onClose={onClose}>
			<dl class="keys">
				{NAV.map(([, text, k]) => (
					<div>
						<dt>
							<kbd>g</kbd> <kbd>{k}</kbd>
						</dt>
						<dd>{text}</dd>
					</div>
				))}
				<div>
					<dt>
						<kbd>/</kbd>
					</dt>
					<dd>Search</dd>
				</div>
				<div>
					<dt>
						<kbd>?</kbd>
					</dt>
					<dd>This list</dd>
				</div>
			</dl>
		</Dialog>
	)
}

// Another page: its heading gets the focus, so that a screen reader says where we are.  It may be
// there already, or come with the page's code and data (Head takes it then).
function useArrival(main: RefObject<HTMLElement | null>) {
	const page = route.value.parts.join('/')
	const first = useRef(true)
	useEffect(() => {
		if (first.current) {
			first.current = false
			return
		}
		if (!route.value.lines) scrollTo(0, 0)
		const h1 = main.current?.querySelector<HTMLElement>('h1')
		arriving.value = !h1
		;(h1 ?? main.current)?.focus({ preventScroll: true })
	}, [page])
}

function App() {
	const main = useRef<HTMLElement>(null)
	const [help, setHelp] = useState(false)
	useKeys(() => setHelp(true))
	useArrival(main)
	return (
		<>
			<Top />
			<Banner />
			<div class="frame">
				<Nav />
				<main id="main" ref={main} tabIndex={-1}>
					<Page />
				</main>
			</div>
			<Toasts />
			<Keys open={help} onClose={() => setHelp(false)} />
		</>
	)
}

function enter(code: string) {
	return login({ code }).catch((e) => {
		void loadSession()
		loginError.value = `The code in the address was not taken: ${e instanceof Error ? e.message : e}`
		go('#/login')
	})
}

applyTheme()
const code = takeCode()
startRouter((code) => void enter(code))
startRates()
startNames()
effect(() => {
	document.title = title.value ? `${title.value} · guts` : 'guts'
})
const box = document.getElementById('app')!
box.replaceChildren()
render(<App />, box)

// A node that came back may have forgotten who we are.
epoch.subscribe((n) => n > 0 && void loadSession())
// With a code the stream begins with the rights that it gives.
if (code) void enter(code).then(start)
else {
	start()
	void loadSession()
}
