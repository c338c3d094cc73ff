// Returns every text of the page whose contrast is below WCAG 2.2 AA (1.4.3): 4.5 to 1, or 3 to
// 1 for large text. Colours are those that the browser computed, laid over what is behind.
const channels = text => {
  const found = text.match(/[\d.]+/g).map(Number);
  return { rgb: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1 };
};
const over = (top, below) => top.rgb.map((value, place) => value * top.alpha + below[place] * (1 - top.alpha));
const light = rgb => {
  const [red, green, blue] = rgb.map(value => value / 255)
    .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const behind = element => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
  const paper = matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
  return layers.reverse().reduce((below, layer) => over(layer, below), paper);
};
const faint = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode.textContent.trim();
  const element = texts.currentNode.parentElement;
  if (!text || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const back = behind(element);
  const [lighter, darker] = [light(over(channels(style.color), back)), light(back)].sort((a, b) => b - a);
  const contrast = (lighter + 0.05) / (darker + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 60)} (${element.tagName}.${element.className})`);
}
return faint;
