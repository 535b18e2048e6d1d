package harness

import (
	"context"
	"errors"
	"testing"

	"github.com/chromedp/chromedp"
)

// aim waits until an element stands still and nothing covers its middle, and returns where that is. A page that moves
// between this and the click would have something else clicked, so from now on the events of a mouse come to the
// element or to nothing; window.aimed has which did.
const aim = `(async () => {
  const end = performance.now() + $2;
  for (let before = '';; await new Promise(requestAnimationFrame)) {
    if (performance.now() > end) throw new Error(before === '' ? 'it is not visible' : 'it moves, or is covered: ' + before);
    const element = document.querySelector($1);
    element?.scrollIntoViewIfNeeded();
    const [box] = element?.getClientRects() ?? [];
    if (!box || box.width * box.height === 0 || getComputedStyle(element).visibility !== 'visible') continue;
    const place = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const still = before === JSON.stringify(box);
    before = JSON.stringify(box);
    if (!still || !element.contains(document.elementFromPoint(place.x, place.y))) continue;
    const guard = (event) => {
      if (event.composedPath().includes(element)) {
        aimed[event.type] = true;
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    const types = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'];
    window.aimed?.end();
    window.aimed = { element, end: () => types.forEach((type) => removeEventListener(type, guard, true)) };
    types.forEach((type) => addEventListener(type, guard, true));
    return place;
  }
})()`

// hit returns whether the click has come to the element, or was enough for it: the e-stop and timelines go by the
// press. A page that has been left by a click has no answer.
const hit = `(() => {
  if (!window.aimed) return true;
  const { element, pointerdown, click, end } = aimed;
  end();
  delete window.aimed;
  return click === true || pointerdown === true && element.matches('#estop, .line-head, .lane-item');
})()`

// Click clicks the first element that a selector finds, when it is visible. It is what a person does: if the page moves
// away under the mouse, they try again.
func (p *Page) Click(tb testing.TB, selector string) {
	tb.Helper()
	Until(tb, "click "+selector, func() error {
		at, err := TryEval[struct{ X, Y float64 }](p, aim, selector, Patience.Milliseconds())
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(p.ctx, Patience)
		defer cancel()
		if err := chromedp.Run(ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
			return err
		}
		// An error means that the page is being left.
		if done, err := TryEval[bool](p, hit); err == nil && !done {
			return errors.New("the page moved away under the mouse")
		}
		return nil
	})
}
