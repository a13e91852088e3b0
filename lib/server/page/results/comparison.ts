import { urlOf } from '../dom/blob-url.js'
import { create } from '../dom/dom.js'

/** The picture after a change with the one before it on top, which a slider uncovers from the right. */
export function createComparison(after: HTMLImageElement, before: Blob): { picture: HTMLElement; controls: HTMLElement[] } {
  const former = create('img', { className: 'before', src: urlOf(before), alt: 'The starting picture' })
  const edge = create('span', { className: 'edge' })
  edge.setAttribute('aria-hidden', 'true')
  const slider = create('input', { type: 'range', min: '0', max: '100', value: '0', id: 'compare' })
  const show = () => {
    former.style.clipPath = `inset(0 ${100 - slider.valueAsNumber}% 0 0)`
    edge.style.left = `${slider.valueAsNumber}%`
    edge.hidden = slider.valueAsNumber === 0 || slider.valueAsNumber === 100
    slider.setAttribute('aria-valuetext', `${slider.value} % of the starting picture`)
  }
  slider.addEventListener('input', show)
  show()
  const label = create('label', { htmlFor: 'compare' }, 'Before and after')
  return {
    picture: create('div', { className: 'comparison' }, after, former, edge),
    controls: [create('div', { className: 'compare' }, label, slider)]
  }
}
