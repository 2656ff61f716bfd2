// Where the peers of a picture stand: d3-force pushes them apart and pulls each to the distance of its link.
// This node stays in the middle, everyone else inside the frame.
import { forceCollide, forceLink, forceManyBody, forceSimulation, type SimulationLinkDatum, type SimulationNodeDatum } from 'd3-force'

export interface Spot extends SimulationNodeDatum {
	id: string
	x: number
	y: number
}
interface Tie extends SimulationLinkDatum<Spot> {
	distance: number
}

const RADIUS = 26 // [px] of a peer with its label
const MARGIN_X = 52
const MARGIN_Y = 26
const SETTLED = 200 // steps after which nothing moves any more

export class Layout {
	readonly spots = new Map<string, Spot>()
	private width = 600
	private height = 400
	private readonly links = forceLink<Spot, Tie>([])
		.id((s) => s.id)
		.distance((t) => t.distance)
		.strength(0.5)
	private readonly simulation = forceSimulation<Spot, Tie>([])
		.force('link', this.links)
		.force('push', forceManyBody<Spot>().strength(-260))
		.force('room', forceCollide<Spot>(RADIUS))
		.force('frame', () => this.keepInside())
		.stop()

	constructor(
		private readonly centre: string,
		moved: () => void,
		private readonly still: boolean, // the reader wants no motion
	) {
		this.simulation.on('tick', moved)
	}

	resize(width: number, height: number) {
		this.width = width
		this.height = height
		this.go(0.3)
	}

	// Peers and the length of the link to each, in shares of half the frame.
	show(peers: { id: string; share: number }[]) {
		const wanted = new Set([this.centre, ...peers.map((p) => p.id)])
		const fresh = [...wanted].filter((id) => !this.spots.has(id))
		const gone = [...this.spots.keys()].filter((id) => !wanted.has(id))
		for (const id of gone) this.spots.delete(id)
		fresh.forEach((id) => {
			const turn = 2.4 * this.spots.size // the golden angle: neighbours in time are not neighbours in place
			const spot: Spot = { id, x: 90 * Math.cos(turn), y: 90 * Math.sin(turn) }
			if (id === this.centre) Object.assign(spot, { x: 0, y: 0, fx: 0, fy: 0 })
			this.spots.set(id, spot)
		})
		const half = Math.min(this.width / 2 - MARGIN_X, this.height / 2 - MARGIN_Y)
		this.simulation.nodes([...this.spots.values()])
		this.links.links(peers.map((p) => ({ source: this.centre, target: p.id, distance: half * p.share })))
		if (fresh.length || gone.length) this.go(0.6)
	}

	stop() {
		this.simulation.on('tick', null).stop()
	}

	private go(alpha: number) {
		this.simulation.alpha(alpha)
		if (!this.still) {
			this.simulation.restart()
			return
		}
		this.simulation.stop().tick(SETTLED)
		this.simulation.on('tick')?.call(this.simulation)
	}

	private keepInside() {
		const x = Math.max(0, this.width / 2 - MARGIN_X)
		const y = Math.max(0, this.height / 2 - MARGIN_Y)
		for (const s of this.spots.values()) {
			s.x = Math.max(-x, Math.min(x, s.x))
			s.y = Math.max(-y, Math.min(y, s.y))
		}
	}
}
