/** What runs in the subject's page: pictures shown in turn, and the viewer. Without it the page still says all. */

import { DIVERGING_MAP } from './colours.ts';

/** Text of the page's one inline script. */
export const SCRIPT = `
(() => {
  'use strict';
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  for (const figure of document.querySelectorAll('figure[data-show]')) {
    const buttons = [...figure.querySelectorAll('button[data-show]')];
    const show = (how) => {
      figure.dataset.show = how;
      for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.show === how));
    };
    for (const button of buttons) button.addEventListener('click', () => show(button.dataset.show));
    figure.querySelector('.choices').hidden = false;
    show(still ? 'both' : 'turns');
  }

  const viewer = document.getElementById('viewer');
  const start = viewer && viewer.querySelector('button');
  if (!start) return;
  const say = (text) => { viewer.querySelector('[role=status]').textContent = text; };
  const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

  async function library() {
    const packed = bytesOf(document.getElementById('viewer-code').textContent);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    const code = new Blob([await new Response(stream).arrayBuffer()], { type: 'text/javascript' });
    const script = document.createElement('script');
    script.src = URL.createObjectURL(code);
    await new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error('the viewer is damaged'));
      document.head.append(script);
    });
    URL.revokeObjectURL(script.src);
    return window.niivue;
  }

  async function open() {
    const { Niivue, NVImage } = await library();
    const maps = JSON.parse(document.getElementById('map-data').textContent);
    viewer.querySelector('.stage').hidden = false;
    const nv = new Niivue({
      backColor: [0, 0, 0, 1], isRadiologicalConvention: true, isColorbar: true, dragAndDropEnabled: false,
      crosshairWidth: 0.4, crosshairWidthUnit: 'mm', textHeight: 0.05, show3Dcrosshair: true, loadingText: '', logLevel: 'error',
      onLocationChange: ({ mm, values }) => {
        const place = Array.from(mm).slice(0, 3).map((v) => v.toFixed(0)).join(', ');
        const figures = values.map(({ value }, i) => maps[i].colours === 'regions'
          ? maps[i].names[Math.round(value)] || ''
          : maps[i].name + ' ' + value.toPrecision(3));
        viewer.querySelector('output').textContent = '(' + place + ') mm: ' + figures.filter(Boolean).join(', ');
      },
    });
    await nv.attachToCanvas(viewer.querySelector('canvas'));
    nv.addColormap('diverging', ${JSON.stringify(DIVERGING_MAP)});
    for (const { name, base64, colours, range, labels } of maps) {
      const image = await NVImage.loadFromBase64({
        base64, name: name + '.nii.gz', colormap: colours === 'diverging' ? 'diverging' : 'gray',
        opacity: 0, colorbarVisible: false,
      });
      // Half a step lower: the lowest value is still of the range, what has no data is below it.
      image.cal_min = colours === 'regions' ? range[0] : range[0] - (range[1] - range[0]) / 508;
      image.cal_max = range[1];
      if (labels) image.setColormapLabel(labels);
      nv.addVolume(image);
    }
    nv.setInterpolation(true);
    const regions = viewer.querySelector('input[type=checkbox]');
    const choose = () => {
      const chosen = Number(viewer.querySelector('input[type=radio]:checked').value);
      maps.forEach(({ colours }, i) => {
        // A change is drawn over FA, so that one sees where it is.
        const shown = colours === 'regions' ? regions.checked && 0.5
          : i === chosen || (i === 0 && maps[chosen].colours === 'diverging');
        nv.volumes[i].colorbarVisible = i === chosen;
        nv.setOpacity(i, Number(shown));
      });
    };
    for (const input of viewer.querySelectorAll('input')) input.addEventListener('change', choose);
    choose();
  }

  start.disabled = false;
  start.addEventListener('click', async () => {
    start.disabled = true;
    if (!document.createElement('canvas').getContext('webgl2')) {
      say('This browser offers no WebGL2, which the viewer needs. The pictures above show the same maps.');
      return;
    }
    say('Loading ...');
    try {
      await open();
      start.hidden = true;
      say('');
    } catch (error) {
      say('The viewer could not be started: ' + error.message);
    }
  });
})();
`;
