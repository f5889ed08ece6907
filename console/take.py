"""Pictures made on the page: by the camera, and by drawing. They go where a chosen file goes: into the uploader."""

from typing import Final

from nicegui import ui

from console.parts import ErrorLine, labelled, tagged

SCRIPT: Final = """
<script>
window.semlinkGive = (blob, name) => {
  const input = document.querySelector('.semlink-upload input[type=file]'), files = new DataTransfer();
  files.items.add(new File([blob], name, {type: blob.type}));
  input.files = files.files;
  input.dispatchEvent(new Event('change', {bubbles: true}));
};
document.addEventListener('focusin', event => {
  const box = event.target.closest('.q-uploader');
  if (box) event.target.setAttribute('aria-label', box.querySelector('.q-uploader__title').textContent);
});
document.addEventListener('paste', event => {
  const file = event.clipboardData.files[0];
  if (file) semlinkGive(file, file.name);
});
const semlinkPart = async name => {
  for (let wait = 0; wait < 100 && !document.querySelector(name); wait++) await new Promise(r => setTimeout(r, 50));
  return document.querySelector(name);
};
window.semlinkCamera = async name => {
  try {
    const video = await semlinkPart(name);
    video.srcObject = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}}});
    for (let wait = 0; wait < 100 && !video.videoWidth; wait++) await new Promise(r => setTimeout(r, 50));
    return video.videoWidth ? '' : 'it gives nothing';
  } catch (error) {
    return navigator.mediaDevices ? String(error.message || error) : 'the browser allows it on 127.0.0.1 or https only';
  }
};
window.semlinkCameraOff = name => {
  for (const track of document.querySelector(name)?.srcObject?.getTracks() ?? []) track.stop();
};
window.semlinkFrame = name => {
  const video = document.querySelector(name), canvas = document.createElement('canvas');
  const side = Math.min(video?.videoWidth ?? 0, video?.videoHeight ?? 0);
  if (!side) return '';
  canvas.width = canvas.height = 256;
  const left = (video.videoWidth - side) / 2, top = (video.videoHeight - side) / 2;
  canvas.getContext('2d').drawImage(video, left, top, side, side, 0, 0, 256, 256);
  return canvas.toDataURL('image/jpeg', 0.92);
};
window.semlinkTake = async name => semlinkGive(await (await fetch(semlinkFrame(name))).blob(), 'camera.jpg');
window.semlinkDrawing = async name => {
  const canvas = await semlinkPart(name), pen = canvas.getContext('2d');
  const at = event => [event.offsetX * 256 / canvas.clientWidth, event.offsetY * 256 / canvas.clientHeight];
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, 256, 256);
  pen.lineWidth = 18;
  pen.lineCap = pen.lineJoin = 'round';
  canvas.onpointerdown = event => {
    pen.strokeStyle = document.querySelector('.semlink-ink').value;
    pen.beginPath();
    pen.moveTo(...at(event));
    pen.lineTo(...at(event));
    pen.stroke();
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = event => { if (event.buttons) { pen.lineTo(...at(event)); pen.stroke(); } };
};
window.semlinkDrawn = name =>
  document.querySelector(name).toBlob(blob => semlinkGive(blob, 'drawing.png'), 'image/png');
</script>
"""
"""Functions of the page; it loads nothing from elsewhere."""


async def photograph(error: ErrorLine) -> None:
    """Take a picture with the camera of the browser's machine."""
    with ui.dialog(value=True) as dialog, ui.card().classes("items-center"):
        ui.element("video").props("autoplay playsinline muted").classes("semlink-video w-64 h-64 object-cover rounded")

        async def take() -> None:
            await ui.run_javascript("await semlinkTake('.semlink-video')", timeout=30.0)
            dialog.submit(True)

        with ui.row():
            button = tagged(ui.button("Take", icon="photo_camera", on_click=take), "camera-take")
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
        button.disable()
    refused = await ui.run_javascript("return await semlinkCamera('.semlink-video')", timeout=120.0)
    if refused:
        dialog.submit(False)
        error.say(f"no picture from the camera: {refused}")
    button.enable()
    await dialog
    ui.run_javascript("semlinkCameraOff('.semlink-video')")
    dialog.delete()


async def draw() -> None:
    """Draw a picture with mouse, pen or finger."""
    with ui.dialog(value=True) as dialog, ui.card().classes("items-center"):
        canvas = ui.element("canvas").props("width=256 height=256").style("touch-action: none; background: white")
        tagged(labelled(canvas, "drawing"), "drawing").classes("semlink-drawing w-64 h-64 rounded border")

        async def use() -> None:
            await ui.run_javascript("semlinkDrawn('.semlink-drawing')")
            dialog.submit(True)

        with ui.row().classes("items-center"):
            ink = ui.element("input").props("type=color value=#d92d3a").classes("semlink-ink w-10 h-10")
            labelled(ink, "colour")
            tagged(ui.button("Use", icon="check", on_click=use), "drawing-use")
            ui.button("Clear", on_click=lambda: ui.run_javascript("semlinkDrawing('.semlink-drawing')")).props("flat")
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
    ui.run_javascript("semlinkDrawing('.semlink-drawing')")
    await dialog
    dialog.delete()
