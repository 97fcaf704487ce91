"""Every word the page shows, in English and Chinese; nothing visible is written anywhere else.

Labels that never change are translated in the browser (``gr.I18n``, by the browser's language); what handlers write (the
transcript, toasts) is translated here, by the same language as the browser sends it in ``Accept-Language``.
"""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr
from gradio.i18n import I18nData

ENGLISH = "en"
CHINESE = "zh"

#: key -> (English, Chinese); ``{names}`` are filled by :class:`Texts`.
TEXTS: Mapping[str, tuple[str, str]] = {
    # the frame of the page
    "app.name": ("LightVoice", "LightVoice"),
    "app.tagline": ("Speech, emotion and sound events, in full or light precision", "语音、情感与声音事件识别，精度随时切换"),
    "tab.transcribe": ("Transcribe", "转写"),
    "tab.compare": ("Compare", "对比"),
    # the bundle banner
    "banner.aria": ("Loaded model bundle", "已加载的模型"),
    "banner.languages": ("Languages", "语言"),
    "banner.licence": ("Licence", "许可证"),
    "banner.variants": ("Precisions", "精度"),
    "banner.source": ("Source", "来源"),
    "banner.details": ("About this bundle", "关于此模型"),
    # lightweight mode
    "light.label": ("Lightweight mode (INT8)", "轻量模式（INT8）"),
    "light.aria": ("State of lightweight mode", "轻量模式状态"),
    "light.on": ("On: requests run in {precision}", "已开启：以 {precision} 运行"),
    "light.off": ("Off: requests run in {precision}", "已关闭：以 {precision} 运行"),
    "light.memory": ("memory in use {rss}", "占用内存 {rss}"),
    "light.freed": ("{freed} given back", "已释放 {freed}"),
    "light.freed_none": ("nothing to give back", "没有可释放的内存"),
    # which precision suits this machine (the codes are engine.advisor's)
    "advice.summary": ("Suits this machine: {precision}", "适合本机的精度：{precision}"),
    "advice.int8_instructions": (
        "The processor multiplies 8-bit integers natively ({flags}): INT8 is faster than FP32 here.",
        "处理器原生支持 8 位整数乘法（{flags}），INT8 比 FP32 更快。",
    ),
    "advice.no_int8_instructions": (
        "The processor has no 8-bit integer instructions: INT8 saves memory but little time.",
        "处理器没有 8 位整数指令：INT8 可节省内存，但速度提升有限。",
    ),
    "advice.unknown_processor": (
        "The processor's features cannot be read here; INT8 saves memory in any case.",
        "无法读取处理器特性；INT8 至少可节省内存。",
    ),
    "advice.small_memory": ("{memory_mb} MB of memory are few for FP32.", "内存 {memory_mb} MB，对 FP32 偏小。"),
    "advice.enough_memory": ("{memory_mb} MB of memory hold either precision.", "内存 {memory_mb} MB，两种精度均可容纳。"),
    "advice.gpu": (
        "A GPU is present ({gpu}); INT8 is a precision for processors and would be slower on it.",
        "检测到 GPU（{gpu}）；INT8 面向 CPU，在 GPU 上反而更慢。",
    ),
    # the form
    "form.audio": ("Recording (file or microphone)", "录音（文件或麦克风）"),
    "form.language": ("Spoken language", "语音语言"),
    "form.language_info": ("Auto lets the model decide", "“自动”由模型判断"),
    "form.language_auto": ("Auto", "自动"),
    "form.itn": ("Written form for numbers (ITN)", "数字转书面形式（ITN）"),
    "form.itn_info": ("“twenty five” becomes “25”, with punctuation, if the bundle can", "“二十五”写作“25”并加标点（取决于模型）"),
    "form.ban": ("Never answer “emotion unknown”", "不输出“情感未知”"),
    "form.ban_info": ("Shows the likeliest emotion instead", "改为显示最可能的情感"),
    "form.run": ("Transcribe", "开始转写"),
    "form.options": ("Options", "选项"),
    "form.video": ("Video file…", "视频文件…"),
    "example.digits-en": ("English digits", "英文数字"),
    "example.sentence-en": ("English sentences", "英文句子"),
    "example.digits-zh": ("Mandarin digits", "中文数字"),
    "mic.hint": (
        "The browser offers the microphone only over HTTPS or on localhost. Uploading works everywhere.",
        "浏览器仅在 HTTPS 或 localhost 下允许使用麦克风；上传文件不受影响。",
    ),
    # progress
    "stage.decode": ("Reading the recording", "读取录音"),
    "stage.features": ("Computing features", "计算特征"),
    "stage.vad": ("Finding speech", "检测语音"),
    "stage.asr": ("Recognizing", "识别中"),
    "stage.other": ("Working", "处理中"),
    # the transcript
    "result.title": ("Transcript", "转写结果"),
    "result.empty": ("The transcript appears here.", "转写结果将显示在这里。"),
    "result.silence": ("No speech was found in this recording.", "未在录音中检测到语音。"),
    "result.no_text": ("(no words)", "（无文字）"),
    "result.summary": ("{duration} of audio in {time}", "{duration} 音频，用时 {time}"),
    "result.speed": ("{speed}× real time (RTF {rtf})", "{speed} 倍实时（RTF {rtf}）"),
    "result.precision": ("{precision} · {bundle}", "{precision} · {bundle}"),
    "segments.title": ("Segments", "语音片段"),
    "segments.number": ("No.", "序号"),
    "segments.start": ("Start", "开始"),
    "segments.end": ("End", "结束"),
    "segments.length": ("Length", "时长"),
    "segments.tags": ("Tags", "标签"),
    "segments.text": ("Text", "文字"),
    "timeline.title": ("Timeline", "时间轴"),
    "timeline.aria": (
        "Waveform of {duration} with {segments} speech segments and the speech probability over time",
        "{duration} 波形，含 {segments} 个语音片段及语音概率曲线",
    ),
    "timeline.wave": ("waveform", "波形"),
    "timeline.speech": ("speech segment", "语音片段"),
    "timeline.probability": ("speech probability", "语音概率"),
    "download.txt": ("Download TXT", "下载 TXT"),
    "download.srt": ("Download SRT", "下载 SRT"),
    "download.vtt": ("Download VTT", "下载 VTT"),
    "download.json": ("Download JSON", "下载 JSON"),
    # tags
    "family.language": ("Language", "语言"),
    "family.emotion": ("Emotion", "情感"),
    "family.event": ("Event", "事件"),
    "tag.zh": ("Mandarin", "普通话"),
    "tag.en": ("English", "英语"),
    "tag.yue": ("Cantonese", "粤语"),
    "tag.ja": ("Japanese", "日语"),
    "tag.ko": ("Korean", "韩语"),
    "tag.nospeech": ("No speech", "无语音"),
    "tag.HAPPY": ("Happy", "高兴"),
    "tag.SAD": ("Sad", "悲伤"),
    "tag.ANGRY": ("Angry", "愤怒"),
    "tag.NEUTRAL": ("Neutral", "平静"),
    "tag.FEARFUL": ("Fearful", "恐惧"),
    "tag.DISGUSTED": ("Disgusted", "厌恶"),
    "tag.SURPRISED": ("Surprised", "惊讶"),
    "tag.EMO_UNKNOWN": ("Emotion unknown", "情感未知"),
    "tag.Speech": ("Speech", "说话"),
    "tag.BGM": ("Music", "音乐"),
    "tag.Applause": ("Applause", "掌声"),
    "tag.Laughter": ("Laughter", "笑声"),
    "tag.Cry": ("Crying", "哭声"),
    "tag.Sneeze": ("Sneeze", "喷嚏"),
    "tag.Breath": ("Breath", "呼吸"),
    "tag.Cough": ("Cough", "咳嗽"),
    "tag.Sing": ("Singing", "歌唱"),
    "tag.Speech_Noise": ("Speech noise", "嘈杂人声"),
    "tag.Event_UNK": ("Event unknown", "事件未知"),
    # comparing
    "compare.left": ("First precision", "第一种精度"),
    "compare.right": ("Second precision", "第二种精度"),
    "compare.run": ("Compare", "开始对比"),
    "compare.empty": (
        "Runs one recording in two precisions and shows what the lighter one changes and saves.",
        "用两种精度处理同一段录音，显示轻量精度的差异与节省。",
    ),
    "compare.text_equal": ("Both precisions wrote the same text.", "两种精度的文字完全一致。"),
    "compare.text_differs": ("{edits} edits, distance {distance}", "{edits} 处改动，差异 {distance}"),
    "compare.diff": ("Text", "文字对比"),
    "compare.only": ("Only in {precision}", "仅见于 {precision}"),
    "compare.tags": ("Tag agreement", "标签一致率"),
    "compare.of": ("{agree} of {of}", "{agree}/{of}"),
    "compare.no_tags": ("There are no segments to compare.", "没有可对比的片段。"),
    "compare.time": ("Compute time", "计算用时"),
    "compare.rtf": ("RTF", "RTF"),
    "compare.memory": ("Memory of the sessions", "会话内存"),
    "compare.file": ("Model files", "模型文件"),
    "compare.times": ("{ratio}× as fast", "{ratio} 倍速度"),
    "compare.boundaries": ("{within} of {boundaries} segment boundaries within 10 ms", "{within}/{boundaries} 个片段边界相差 10 ms 以内"),
    "compare.column_time": ("Time", "时间"),
    "compare.margin": ("ahead of the next by", "领先次优"),
    # resources
    "resources.title": ("Resources of the server", "服务器资源"),
    "resources.cpu": ("CPU", "CPU"),
    "resources.memory": ("Memory (RSS)", "内存（RSS）"),
    "resources.threads": ("Threads", "线程"),
    "resources.rtf": ("Last RTF", "上次 RTF"),
    "resources.gpu": ("GPU memory", "显存"),
    "resources.none": ("none", "无"),
    "resources.sessions": ("Open sessions", "已打开的会话"),
    "resources.no_sessions": ("No model is open; the next request opens one.", "当前没有打开的模型，下次请求时载入。"),
    "resources.model": ("Model", "模型"),
    "resources.precision": ("Precision", "精度"),
    "resources.mb": ("Memory", "内存"),
    "resources.provider": ("Runs on", "运行于"),
    # toasts
    "error.title": ("That did not work", "操作未完成"),
    "error.AudioError": ("This recording cannot be used", "无法使用此录音，请换一个文件"),
    "error.AudioDecodeError": ("This file cannot be read as audio", "无法读取此文件，请转换为 WAV、MP3、FLAC、OGG 或 M4A"),
    "error.EmptyAudioError": ("This recording is empty", "录音为空，请重新录制或换一个文件"),
    "error.NonFiniteAudioError": ("This recording is damaged", "录音数据损坏，请重新导出"),
    "error.SampleRateError": ("This sample rate cannot be used", "不支持此采样率，请重采样"),
    "error.AudioTooLongError": ("This recording is too long", "录音过长，请拆分后再试"),
    "error.OptionError": ("This choice is not on offer", "此选项不可用"),
    "error.BundleError": ("The model bundle cannot be used", "模型文件无法使用，请重新安装"),
    "error.SessionError": ("The model cannot be run", "模型无法运行"),
    "error.no_audio": ("Choose or record something first.", "请先选择文件或录音。"),
    "error.no_audio_title": ("No recording yet", "尚无录音"),
    "error.unexpected": (
        "Something unexpected happened. Tell the person who runs this server the number {id}.",
        "发生意外错误。请将编号 {id} 告知服务器管理员。",
    ),
}


class Texts:
    """The texts in one language: ``texts("light.on", precision="INT8")``; an unknown key is an error, never shown raw."""

    def __init__(self, language: str) -> None:
        self.language = CHINESE if language == CHINESE else ENGLISH
        self._column = 1 if self.language == CHINESE else 0

    def __call__(self, key: str, **values: object) -> str:
        """The text for a key, its ``{names}`` filled."""
        return TEXTS[key][self._column].format(**values)

    def tag(self, value: str) -> str:
        """The name of a tag; a value this page does not know yet is shown as the bundle writes it."""
        key = f"tag.{value}"
        return self(key) if key in TEXTS else value


def preferred_language(accept_language: str) -> str:
    """The page's language for an ``Accept-Language`` header: the first wish decides, as it does in the browser."""
    first = accept_language.split(",", 1)[0].strip().lower()
    return CHINESE if first.startswith(CHINESE) else ENGLISH


def texts_for(request: gr.Request | None) -> Texts:
    """The texts for whoever sent a request; English for clients that name no language."""
    header = "" if request is None else str(request.headers.get("accept-language", ""))
    return Texts(preferred_language(header))


def browser_translations() -> gr.I18n:
    """All texts for the browser to choose from; Chinese under every code that Gradio's own Chinese words answer to."""
    english = {key: pair[0] for key, pair in TEXTS.items()}
    chinese = {key: pair[1] for key, pair in TEXTS.items()}
    return gr.I18n(**{"en": english, "zh": chinese, "zh-CN": chinese, "zh-TW": chinese})


def label(key: str) -> I18nData:
    """A label that the browser translates; the key is checked when the page is built."""
    if key not in TEXTS:
        raise KeyError(key)
    return I18nData(key)
