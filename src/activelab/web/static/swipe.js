// Answers by a finger that swipes to the left or to the right.

const ENOUGH = 80; // pixels
const TURN = 12; // from here on it is clear which way a finger goes

const sideways = (target, card) => {
  for (let one = target; one; one = one.parentElement) {
    if (one.scrollWidth > one.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(one).overflowX)) return true;
    if (one === card) return false;
  }
  return false;
};

// `act` is called with -1 for a swipe to the left, 1 to the right, and `aim` on the way there; 0 is neither.
export function swipes(card, { on, aim, act }) {
  let from = null;
  let moved = 0;
  const stop = () => {
    from = null;
    moved = 0;
    card.style.translate = "";
    aim(0);
  };
  const side = () => (Math.abs(moved) < ENOUGH ? 0 : Math.sign(moved));
  const listen = (name, what) => card.addEventListener(name, what, { passive: true });
  listen("touchstart", (event) => {
    stop();
    const { clientX: x, clientY: y } = event.touches[0];
    if (on() && event.touches.length === 1 && !sideways(event.target, card)) from = { x, y, sure: false };
  });
  listen("touchmove", (event) => {
    if (!from) return;
    const [x, y] = [event.touches[0].clientX - from.x, event.touches[0].clientY - from.y];
    if (event.touches.length > 1 || (!from.sure && Math.abs(y) > Math.max(Math.abs(x), TURN))) return stop();
    from.sure ||= Math.abs(x) > TURN;
    if (!from.sure) return;
    moved = x;
    card.style.translate = `${x}px`;
    aim(side());
  });
  listen("touchend", () => {
    const to = side();
    stop();
    if (to) act(to);
  });
  listen("touchcancel", stop);
}
