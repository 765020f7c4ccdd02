// Made from dictionaries/ by `make primers`. Do not edit.

enum ShippedPrimers {
    static let envelope = (
        prefix: """
            gGUBgPj/c/n1acr7W6KY7FSzFO2yejgEXpSJwhvA5DsefWnt82SBhasT1aJ5SeYD7h7u3nGBIDMLBQKHaJGlqS1R675WFUsCFlh5\
            xnEysKB9KyhAYLoECl70jq1strL5IqX6OK1aJ39BYLVLoBZAJoZCxBLcfBxL5loEWSNMz4fSyhdov9pUELgOpaYByfUpBC4mwdU3\
            NL1K8bYM9RsU0AoIRWr+Dyh8/fIZq8CjrDfyEKyGf9APmqFAbnc8NlcFgcswdCUjq8CdRFQwfxE0ywPkYkYWjwaV45aumwXmcCOt\
            ysWUaV0wE+ke/0/UAttwPzHSR6CWVaD3oWhhNGdjsslEJYkDNNJxcbTBDB61VE9pEMr/QWg5nH74BxVT+pA2a23N0vFG6SNJIz/h\
            BD3zjpLRrUOYF9TPv0hiuQNRL5QmzHNrjSCaaNawfHKDl6eFwhtWMQKuzgl80CuGWhpmA6uoZni3IIWZXuowYL+Ak9T0sfWuE1zf\
            jIHpxVC7CJSZfegghMuqomB7sYOSZMnLzHV99/snct91OhMFlIxsFgQHteKmzhud6K7agQUBh5D/Fsrb3fG07eyoqeEpmUNTKXDV\
            kcCUb70SCQTgXaGQe7M7npDM0HazuEuQyEUm+1I496G1VrmL503+ZHJzqj2gGnmRAveQ2QSque4klqb8SPryuBEovIi5yfov03qi\
            EFXD+E79fxrMRanD6dXesbarQEhK2N1DCwZd/qIbV9RZ9YivSR2774hbC+uRD6sLvZc63xwGY24RbaGyDa0XYbNoXb1sMwuFyAYO\
            yB9UK6efur5YbhOow0VKTSCL6808IXXyMk+XmDZ++7esGiGrnZDVXsjq2L5ZI3/b9sb2Zie3HIe52cujiP2ld44SYucSysXnQERI\
            Pnyqj5wF0UBDMZ5C1iqo3fHKlohq7AE28xCNcz/N5bS6zWIoKQ5GbHT5JRAnxfTInC0dVEhGDlu3NlLulycrc8HLPVleDibJw4d1\
            ChUWL8WgChfASqWT++UowrIXSP5K1ZsZa4nLqHgHB7C/JFGi7C2Bcx+VzA1KNKMUjfeqnIQswQJmj1MXi8WwHKIQ5VyNtd5qG8fR\
            aIUh0NIHUTN4YU+90S+A594xceCyhAeaxHAUgrxhCqjS9CZhkTV8iKsDxzGfDrPaIEpEAXkZ8VXqevUQX3oUiBx/SWRvu4tu5FUI\
            xoVy6zXlPAE8FwI1URxX2EY1zJGdRknWDbKDVTWopq1jTdX1QQTZfvsoj95M+HjyFL6cNE7HTGYqmidSP2QVOzoTyYxKdarHCpDz\
            5ae7ypiLA04/f2O23dpnfJAGwlqBFEsCjOMTzWDai9+BPKNt0lEyefggYXHwbMeOqCAmiwTIos5MrJGiKc8Y5gqHLniE/BZVTvdp\
            K8DLFU5L8zQUHsD2IlJ80sT2Y1atSdn1UDdylQknInYH52Di2okO8zrhUPhM9boqkGzqtMnvRuzaNpg2BikR4FZRKv6eXCZJs/ej\
            9u8UUWt9dGkoxmKTOTWXRym4uyr5Gfhn6nI47OubKbavn03Nx8nxarkPCRs5LhyPlo5jUyKctv3uMK6FZQ92WRpi0bSNx5d6JXby\
            gxRU2GsNhffZMirCbFu2HZRom+YldQJuubi5bhlhuAK5SSMkIC67oFuhmhW4Awu2RWHFjVjDN6er++57oovu5UvdmDpxZFsiKYBS\
            Tq42fsFlp6Actht50FjfHYcPt55PF6VjdvuWo9658uEz+C740GnUaUuihvpmYMtShuV1d1tkQf68DX3DvVDD7K1ZUaYFubWMLSog\
            E1TwkhhIU6Kz+L30I/H1V1uHFYS7vOruJ9cfDLNUcORZcfakJljqDy+xHftCNk72hZyUtOB+nTPwm4l7GimZ4c9S4mjJm7+FlIpL\
            e88dbuo9a1P7caQ2dUJDnR+a5GJLebNqf8okjqBQWs9LElOOYawAqJwGwRmPfyIZLL4HXSJSZzCcHD31+ainQ+psDOx3M1cZ6Hho\
            u9cW8Zu35GqhIHcNPYoBEQcijjk0+IQA60ATzjOpESVOHA5UPkgTyvGxA+Y+5VnWgjdHfGKjNOF+/kauDBvU47ljkox2kDWjWd3R\
            Nkai7XC+DQ+zLtETaPPLeAlAbGmwad4jcGeE9duMudOnzxqrebTnZTP9S7ImrqfkNLZkpBIVicXmVNFhPmjihVrPPSUBC+6rieSp\
            2S5+0ExM5FzFoWvY8nSVY+vsnTLh0739UDQhktVJYqdYxntiPffMCATFlhf0+yYyM0x1lDLblm0d/i+fI4mBM9K9wPnhgwDgfFLn\
            a6xtDA==
            """,
        digest: "57ab160a2425c29af00c41056cb0fab937f770ac0b061b09163a57c3f2cb7297"
    )
    static let phrases = (
        prefix: """
            wJaBiGI+AEZqpKa5PUKGuSEqtTJ/HCvP2hdgv9BUuNO7J+TyN2gW0DWD3ml041ssCFof7wlpuG+ZhOEMvRlvgobzd03nMK+I1ZVw\
            PJqkqv7XslQwZCYYIjwAqN/73VP1u3tU1TOr0Jd7k0KcXaXZszwntGY6I5fRQpsdwAqROSSoMwKGBhj7MbTcK1GCMgRaj/g2VXKp\
            unVpEycxcHAYJDcvw6O9dP4V0jAm/h0Ol8P18D4cWg7m8D8cvseHx+F4+N1DB+xoEIpoUAgEMPoergh3NhxGoBSF8ZOWw54VNbDq\
            HKfxOv6ems05xE7vzvA4u06WnxXZMN5PcobJ2andtWTQb52BtJwhvKDO9P4M1zP8kgg5KIcNisE8XpwdOsOkMou4eJvRGcjn/t1+\
            7DdH6Oz+6lYzNjX8Kl6egBZ4daut71X5q4ITpkUxeRqRM+DalaMA/b6AX2c6ch2MPdomLagqtm+RZyBnB5vESmWdeqFuY0x9gGN9\
            DCd2okfN8XJ16ng8hk9Xx9OpeWLHYDiJ4/PE62R2DOj14ye6ckzmo/PHHXjV8YQNR3tqnsSPSRwzRLw3Ayd8anIYq9xfZTjxk+CE\
            j7djA8rt4/F8YgXrE88C5Z43c/WfiKCuMOtw/EY4Gk6q2J2TOu4NbD0jc/LEuXJi2SEiN9WuCPJJeHPzy9lJbi6lk+T4VpBcuzq4\
            BsnTuf5PkCWI4bV1S2zIMovhUiYJ0pDdbXWGr/aRWSbX8trtI+HWSXCGa9mKHcQ7Sh2FelvHTg3XNcjgitw6Rrl1BMHKLIbXrsjW\
            7YW95iEaLmVfg5AHZ8XwYhaCC67lmSSHd6MOklzn9mJ4KEk6SYIbdVvDbhbDqyLBSiQ4xk4WITdmrzbPatHAq5h2Ghpmp+x0KGjG\
            utTyWMJeGyZl/ZzMrhbDc2mwknG5oCB+ZnE7w2t1ocH1A7O6VRN2Ngw3ka7sa21tueoHOhcYYD476y4bHrpSlFG9Pf6MhoAbEjPM\
            Pr+P46iBrM4ablxi6t0vDuzVBV5r+ZZRh2T4o1OvAdPfwHb9JKxTLp3f6j0e5nraq50Gs3kYR6yThlJtpNOx5U2X3E5svMcHNzYM\
            xj+PXlOJhterjQ1aCauNiLzR8CZY5S72ay5+quVJHlSEbFwgUv9tTBgEP6NBw51ThClmt4bVlvgiSXuXZYwZq6xmVwWlj2NXc1nr\
            O/WGB/CHSaygdGur/SAU7z8adFd9JBFJnMCJkaei4cHWhIwShtXifo9hNVgE+x55VyXY+FhNsSF/2xdJLdcydmsakX6I/Kkq2Y1m\
            87BqQHNmrSU3fPc3dwSlt+SWV7UfJONg3TN8WOvugyH1hOF1bDj53FeR12T47v94Pd9ZIOi4wYKG+xdfT6+1jIr/zL1bz2CntNfs\
            Sheg544uTdd5Nbwkw24padEkpGRPpikmgO/wvt45Mbz01zs8d0suJRehXo/y/ePIIMtL47v/o7qa5+mpqtWMm/QLWr77v6trYpIs\
            LdfKnNQYMSUdFqaaNvOotzVPmqjR9kLSPFV9H1j1+F7sDVDiM0XGzq0pUJwGJQ4M1H7yEUMSDH0p3Maa7Iy6vWINwp3Q8kpT7+hU\
            ah/rZHhTXUN/obnQRQo1Q8OtElRZdBn5DxnerE/WXDR/chfrVbvluZKry5SifRIM7OfthYa7uGgiEgxQfHyqZuQuhkynObpQ+JZU\
            tDD7bC+pq0lCIRZhglAKkkvWpKxFlpq1PEAPfXX6pLmJvcxqLDfXlLkG5T5nWBFWR3HB8FZEivQarnFUpsdh6k/6HpwtlUnrN6QZ\
            id9wiZZ39aJMdmTti9dmpeXKs5VaqurtLk06qhI3uZbNWH8TOLlhZ0l5d01TDOinizW9QqnPxlrwyhjVhhPp0AagQUqI0pCas8Nw\
            Vvr+NYbHF9L3MVkqkRytJNOk3mvPCFf1zMb+huQ0qnq8c2qg+vpZPWaWYsw/So5eEqv9DIQGRPrftlP6QdJOE6vSRC0MbjEEWXId\
            8itWR3JdTdh0Ce9Af8rtgnhySRp2ZcAEtelpafyVzKPtsV354ULoF9Lr5LTpIwcF3IMKa2LaZMA28c8+WoYOUzu7sMMGdliJtcVU\
            bjFLHtTSy5wCPGHVYnVWs2J4ouK/zyW5iVTDLAtTTgNmaYkHYtbEWZLHxmEBV+gekCfvQywUaLtALjGNOFro+VgTwTnjtcpYwsOa\
            dOMel+QtzoSa2CLGnk6c4Zp6F1jB9T/DuUBH7XQBcOUj9klLj+dtvZO+eiOvRcauegm9sp3GO43VYbFpf3sUL8kJvZsY0vpLNQ/V\
            2casyK/1e0zwNbWk8l0Tj63vcDKKtuwkp+gyqeuS+I283SIP6lmh8EA8qb1KJ5sEjuMYvLaZ9YHtdOyylozX1sh4Kak7UhcT1KCc\
            K3zQznWa/MIs+6Ea4L9Q0elkh0CtqOed7174n8bk5FuhxLS0Ym27xakY4UKf0MjjxDxOX9NW5x6OiuAPx84vh4e/YtY/CYvH4ceE\
            TWo/j9MWiJE4IIpb9m3yrdM1KhQj2plcqbphJYbdb/nJ9QM8VTQ59gO+LC2OpWMqPzgBosmp1ndjopdlVUo3Ginunkc1Ol6F5f3G\
            38Kokoqk1iIe4PGvAnGHkon9AafM42U6fDOyH6eSc0SB+lTfNBP6oYMYKV1dJMSmS+gIIuzOqGmn/NkpCGKJK+w1lV7CESagKpWu\
            YQhhDqfxNlaDA1nlPGf86+Q8sNcFd1HRvpo814Ari4pwGakH3GY6fcBDd2ygnrfX9D2xOaUltutxVZZYiXUUb8Grzv2+KvEVrr1j\
            Qj3GMAzCo2la8MmBj+6EF5TG0Ae/WPG28dtiH0ddh3BgHbew1LWncblsI3r/zKy612A3PnoGGYRPf8ynn/yYz37Mp4/59EeU4Rvi\
            EfIjURPmT7Uftrx0kY55JUSTBb/mOaYkpSnHVOeLLHRiCRNd6pDtnq7MuDEiW3F7nN0Tv/0cWVg0s6gMLDoR4mQNaBoG66UbaFVk\
            hjGa7/mFSy2QGFGbEOfNUMoU3UIgRdnQ//RnPyM44YiVOEIyJUWndq4MtStjt69rMFE21sOWThHEU9YM90n7tzcf9fwvfNSDf/JR\
            L/7NDxv4/6PHRz3/Mx9196+/HfjfQ4O/88Oa39xp88OyKHZi+d/J0T83N4MU1prntN8RyQjEPjha3I1zy/WyevG7EsD4jxkp/Py3\
            n/7853x1/Whxxxyw7L7WL39ueBSnhYavLA3xTpPhfdz92PtQhqxhtxgiLJTMV6SRpL26qVheMWfR5caFO7UNNxQVt12axC3DIwkF\
            zLDLYzdarrBusLtV2GkpgvFyNRcCMLfM5kbhc1YC9wIdmlrcKXr++Sxb9YvhiTwllwnCBbPsV9G9QVIlQ0/0YoJwRYnEpRBnN2+O\
            MCCGZOgpR5QoU+Y40oT0zyg0AKLLA1Xs9+3XmQDL3nOhHkCW0amzzLJwd5rFqfL1pCSmt8Ju1IRAZzzQk2HzCWycAyE4MTQI06zc\
            dXWM6YGhphu2Mdom74K1Lbknw+UzFiUsvNI7BKd4vj0Nj+Wl3oYXRgJu9rHccjNfXISTGnC2/8YHgXDYd9EEp6IUjdCElmlca/S3\
            5DhqF+3CBCUkVRSpSBcFvpZHtr8wymBuuHqWVOfGxO1Wc4ydVBiM5HKEiXFmJ3XZCCHUGSeBugo6SSqVpUA53w3dpp2ilEszJVrr\
            6SOKWh+Vt4aH1KNegpndlV5U0ZR+b3ipwEWCNphxW7XBUrbe+IJRxV2BfNqkZzYNETvIuAlypxjyk3Ervz9ezkg1MZub0mTD1UWM\
            9SUwZrfFDe6lfaPAyECUTrpieOzscVANbGK8Th6iV1Qv1+nSfMjJyuKwgAjmaT5eMqKSlhV1jHsfve0Kiyp+IOUiS4GZ92K1x6oU\
            +gScG5xRWRe9fFV8T1icPmlgg0kbu8XHMYa54OdUlSluRxs1dDe3XGXnBeyRZ5sGldVHSaVaIpC/mRdlha7NUZDqLQ1q2+lBxKuZ\
            TWgEdkA2LZuZU/xt2ZVBseXXpvdlwUGdgt9vleLCbv5qD14OaREuFNXKYBQZLF8SGvuJtzX9Py7haokgg8yWE4TjmH9hWJK8j+9Q\
            KoQzqkR5HhjERciqcsvVBevnUqRfufBmko7COHwGcgHxFlT1ITMrV/5OyPQqhuTht0rhFz//9Oc/N1xXzVaWhhu14c/B9VDT1/LT\
            5L71w8JCfrTeBIW7XUKVtLD7kfl37NKMefsrWXheg/K8+qUFMkdHxrY0OpssFdsDLRiutmENmLCl/jo3aqWu/HUmA7EZwrg90xP3\
            uLrwnglgh9gLdIm1H5LCtkFFB6Skk2DJSlob4n3hymcFRy4qFcu+5aS0M6DPulN6KF65o6AR48CCvvn5k7xbiBB4GDzRSzJcFk7U\
            LoskRlH07ic1x4pGmAkwMB1WMW+6GaIUtSuUIHyXllidISwxCXqEwB1q2xqDtnytudEIb2ILbCYQ6GWDc3CPSzd913ir4ROgz40k\
            bfKG29nwIAA2thsD
            """,
        digest: "eb714a94d53e4458df579c2c604746fa5c866c67bd542d40858de8b9cbda9928"
    )
}
