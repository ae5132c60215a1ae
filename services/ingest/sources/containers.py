"""Which containers a file may be of, and what one is called that may not."""

import re
from typing import Final

import av
import av.logging

FILMS: Final = (
    "3dostr asf av1 avi avs2 avs3 cavsvideo cine dirac dnxhd dv evc flv gxf h261 h263 h264 hevc ipu ivf ivr kux "
    "live_flv lxf m4v matroska mjpeg mjpeg_2000 mov mpeg mpegts mpegvideo mxf nsv nut nuv obu ogg pva r3d rm ser swf "
    "ty vc1 vc1test vividas vivo vvc wtv yuv4mpegpipe apv asf_o mpegtsraw filmstrip jpegxl_anim mv smjpeg"
)
"""What cameras, players, editors and broadcasters write, and bare streams of a codec."""
RECORDERS: Final = "dhav hxvs ifv ingenient iv8 lmlm4 luodat mpjpeg msnwctcp mxg nc"
"""What recorders and network cameras export in manners of their own: Dahua, Xiongmai, IndigoVision, Mobotix .."""
PICTURES: Final = (
    "alias_pix apng bmp_pipe brender_pix cri_pipe dds_pipe dpx_pipe exr_pipe fits gem_pipe gif gif_pipe hdr_pipe ico "
    "iff j2k_pipe jpeg_pipe jpegls_pipe jpegxl_pipe jpegxs_pipe msp pam_pipe pbm_pipe pcx_pipe pfm_pipe pgm_pipe "
    "pgmyuv_pipe pgx_pipe phm_pipe photocd_pipe pictor_pipe png_pipe ppm_pipe psd_pipe qdraw_pipe qoi_pipe sgi_pipe "
    "sunrast_pipe tiff_pipe txd vbn_pipe webp_pipe xbm_pipe xpm_pipe xwd_pipe"
)
"""Pictures that move, and such as stand still: one file, one picture."""
GAMES: Final = (
    "4xm anm argo_brp avs bethsoftvid bfi bink bmv c93 cdg cdxl dcstr dfa dsicin dxa ea ea_cdata film_cpk flic frm gdv "
    "hnm idcin ipmovie iss jv lvf mgsts mm mods moflex mtv mvi paf pdv pmp psxstr rl2 roq rpl sga siff simbiosis_imx "
    "smk smush thp tiertexseq tmv usm vmd wc3movie wsvqa xmv yop"
)
"""Films out of games and of old machines: nobody's camera, but what the wheel reads of a file is read."""

RECORDINGS: Final = f"{FILMS} {RECORDERS} {GAMES}".replace(" ", ",")
FILE_FORMATS: Final = f"{RECORDINGS},{PICTURES.replace(' ', ',')}"
"""Demuxers that a file may need. Not among them is what leads to other files or devices (playlists, patterns of names,
descriptions of sessions), what is a script or text, and what holds sound or subtitles alone."""

_PROBED: Final = re.compile(r"Format (?P<name>\S+) probed with size=\d+ and score=(?P<score>\d+)")
PLAYLIST_MARK: Final = b"#EXTM3U"
"""FFmpeg tells a playlist by its name alone."""
SURE: Final = 25
"""A score of FFmpeg's up to which it looks on: so little makes no name worth telling."""


def unread_container(first: bytes, url: str, options: dict[str, str]) -> str | None:
    """The container that FFmpeg takes a source for, where it is one that no file may be of; opens no demuxer.

    `first` is how the file begins; `options` are those that lead the URL's protocol to its bytes.
    """
    if first.startswith(PLAYLIST_MARK):
        return _named("hls")
    level = av.logging.get_level()
    av.logging.set_level(av.logging.DEBUG)
    try:
        with av.logging.Capture() as lines, av.open(url, options={**options, "format_whitelist": "none"}):
            return None
    except (av.FFmpegError, ValueError):
        found = [match for *_, line in lines if (match := _PROBED.search(line)) and int(match["score"]) > SURE]
    finally:
        av.logging.set_level(level)
    if not found or set(found[-1]["name"].split(",")) & set(FILE_FORMATS.split(",")):
        return None
    return _named(found[-1]["name"].partition(",")[0])


def _named(name: str) -> str:
    container = av.ContainerFormat(name, "r")
    return f"{container.name} ({container.long_name})"
