"""Run by another Python, one that has sherpa-onnx or funasr-onnx: decode one WAV file with a logits folder, answer as JSON.

``python peer_decode.py sherpa-onnx|funasr-onnx FOLDER WAV``
"""

from __future__ import annotations

import json
import sys


def sherpa(folder: str, wav: str) -> dict[str, object]:
    import sherpa_onnx
    import soundfile

    recognizer = sherpa_onnx.OfflineRecognizer.from_sense_voice(
        model=f"{folder}/model.onnx", tokens=f"{folder}/tokens.txt", language="en", use_itn=False, num_threads=1
    )
    stream = recognizer.create_stream()
    samples, rate = soundfile.read(wav, dtype="float32")
    stream.accept_waveform(rate, samples)
    recognizer.decode_stream(stream)
    return {"tokens": stream.result.tokens, "text": stream.result.text, "language": stream.result.lang}


def funasr(folder: str, wav: str) -> dict[str, object]:
    from funasr_onnx import SenseVoiceSmall

    return {"text": SenseVoiceSmall(folder, batch_size=1, intra_op_num_threads=1)([wav], language="en", textnorm="woitn")[0]}


if __name__ == "__main__":
    answer = {"sherpa-onnx": sherpa, "funasr-onnx": funasr}[sys.argv[1]](*sys.argv[2:4])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
