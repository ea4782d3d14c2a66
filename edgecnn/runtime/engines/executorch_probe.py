"""The program of a first sign of life: y = Relu(x), x and y float32 [1, 4], as executorch_from_onnx made it by 1.5.1.

Later runtimes read it too: ExecuTorch promises that of its program format.
"""

import base64
import zlib

RELU = zlib.decompress(
    base64.b85decode(
        b"c-qBO%}T>S5T3-?#u_BXP<kj5LJuB_q@Id+5JB)Do;(z)Xl)`ELku-VrHCGU03XFC@EJUK@aO~h493~bB;CZHljw%o|M}+I$;_+)"
        b"z~*ji#XE5v3+Ji=yxr1xFG1FHs9|s7sDTO!j%)?cK-m`L<vos>x}XX&-P4#2uBqUd$5;3_Y3!)ZXH{52Z3|a5!G4u6+bAK)6UsB="
        b"K-l%E#CF;a3;4|5V;sjCaWm=c0r!ZSG>2U$2*O_fbOXf;+=;%<XO)aog>cqMr0mTa%+i~6a*4`U3iT77Qh}o+?8)>7g*dW50@DT<"
        b"FwZTi<Vl0xQcHbUDsg@#!jcJG7W|+h`x)Ys;+nAV30D_!5&0E)=s)5nzESxc;0|Ss(rq=Zu^nB7p1o?>N27rs4TAIKXcYRM-L&lf"
        b"SrB=b5jzY<zR$N#2EIG=f`jwW>*GN;(`PqwI_XAHWB(dIc>ittf6D($-tM3u70h<`?eARxW%R-E+3=z_bm2c+XUlOGfmI(@%2x#7"
        b"yPX}U#cF`XV@SjJGn4ql2xK*&jT&z_Zc+TPdeEfU6LU0;;R>BWA>Sk+hWE0(okKsVqzh7F*FgIv&LydfCeI6|Et8&zCFX&MWl~K|"
        b"k#t_$KI6y*ob*i^-Y=6!G|I(BuI5y-`hpex1|VMpm^g)h@c~IEwL<"
    )
)
