// Rates over time, drawn by uPlot; loaded when the overview is first shown.
import type { Signal } from '@preact/signals'
import uPlot from 'uplot'
import { style } from './lazy'
import { rate } from './text'

interface Sample {
	t: number
	in: number
	out: number
}

const SPAN_S = 300
const HEIGHT = 180

export function drawRates(box: HTMLElement, samples: Signal<Sample[]>) {
	void style(CHART_STYLE)
	const data = (): uPlot.AlignedData => {
		const s = samples.value
		return [s.map((x) => x.t), s.map((x) => x.in), s.map((x) => x.out)]
	}
	const make = () => {
		// A custom property's own value may be light-dark(…): ask what colour it gives.
		const probe = box.appendChild(document.createElement('span'))
		const color = (name: string) => {
			probe.style.color = `var(${name})`
			return getComputedStyle(probe).color
		}
		const axis = {
			stroke: color('--quiet'),
			grid: { stroke: color('--line'), width: 1 },
			ticks: { show: false },
			font: '11px system-ui',
		}
		const plot = new uPlot(
			{
				width: box.clientWidth || 300,
				height: HEIGHT,
				legend: { show: false },
				cursor: { show: false },
				scales: {
					x: {
						range: () => {
							const end = samples.value.at(-1)?.t ?? Date.now() / 1000
							// A short history is not squeezed into the last corner.
							const first = samples.value[0]?.t ?? end
							return [Math.max(end - SPAN_S, Math.min(first, end - SPAN_S / 5)), end]
						},
					},
					y: { range: (_u, _min, max) => [0, Math.max(1024, (max ?? 0) * 1.1)] },
				},
				axes: [
					{
						...axis,
						values: (_u, ticks, _i, _space, step) =>
							ticks.map((t) => new Date(t * 1000).toTimeString().slice(0, step < 60 ? 8 : 5)),
						space: 70,
						size: 28,
					},
					{
						...axis,
						values: (_u, ticks) => ticks.map((v) => rate(v)),
						size: 76,
						space: 36,
						incrs: Array.from({ length: 40 }, (_, i) => 2 ** i),
					},
				],
				series: [
					{},
					{ stroke: color('--in'), width: 2, fill: color('--in-fill'), points: { show: false } },
					{ stroke: color('--out'), width: 2, dash: [6, 3], points: { show: false } },
				],
			},
			data(),
			box,
		)
		probe.remove()
		return plot
	}
	let plot = make()
	const stop = samples.subscribe(() => plot.setData(data()))
	const size = new ResizeObserver(() => box.clientWidth && plot.setSize({ width: box.clientWidth, height: HEIGHT }))
	size.observe(box)
	// Colours are read once: draw anew when they change.
	const again = () => {
		plot.destroy()
		plot = make()
	}
	const dark = matchMedia('(prefers-color-scheme: dark)')
	const theme = new MutationObserver(again)
	theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
	dark.addEventListener('change', again)
	return () => {
		stop()
		size.disconnect()
		theme.disconnect()
		dark.removeEventListener('change', again)
		plot.destroy()
	}
}
